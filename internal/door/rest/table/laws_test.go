package table_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	"headrace/internal/store/storetest/stores"
)

var nextLink = regexp.MustCompile(`<([^>]+)>;rel="next"`)

// fillNotes adds n notes, numbered from the given one.
func fillNotes(t testing.TB, db *record.DB, from, n int) {
	t.Helper()
	notes, err := db.Table("u_note")
	if err != nil {
		t.Fatal(err)
	}
	err = db.As(record.System).Write(context.Background(), func(w *record.Writer) error {
		for i := range n {
			if _, err := w.Insert(context.Background(), notes, set("u_key", fmt.Sprintf("key %06d", from+i), "u_text", "seed", "u_count", fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A client that follows the links sees every record that was there when it began, once, whoever inserts meanwhile.
func TestPagesHaveNoGapAndNoDouble(t *testing.T) {
	const there, page = 2000, 93
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			fillNotes(t, s.db, 0, there)
			stop := make(chan struct{})
			var writer sync.WaitGroup
			writer.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						s.call(t, "POST /api/now/table/u_note", fmt.Sprintf(`{"u_key":"late %d","u_text":"late"}`, i))
					}
				}
			})
			seen := map[string]int{}
			at := fmt.Sprintf("/api/now/table/u_note?sysparm_fields=u_key&sysparm_limit=%d", page)
			for at != "" {
				resp, body := s.call(t, "GET "+at, "")
				for _, r := range records(t, body) {
					seen[r["u_key"]]++
				}
				at = ""
				if m := nextLink.FindStringSubmatch(resp.Header.Get("Link")); m != nil {
					at = strings.TrimPrefix(m[1], s.URL)
				}
			}
			close(stop)
			writer.Wait()
			for i := range there {
				if key := fmt.Sprintf("key %06d", i); seen[key] != 1 {
					t.Errorf("%s was seen %d times", key, seen[key])
				}
			}
		})
	}
}

func records(t testing.TB, body string) []map[string]string {
	t.Helper()
	var answer struct{ Result []map[string]string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	return answer.Result
}

// The platform lets the last writer win; no update of two clients is an error, and none is lost in part.
func TestUpdatesOfOneRecordAtOnceAllSucceed(t *testing.T) {
	const clients, each = 8, 10
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			var all sync.WaitGroup
			for c := range clients {
				all.Go(func() {
					for i := range each {
						resp, body := s.call(t, "PATCH /api/now/table/incident/"+first, fmt.Sprintf(`{"short_description":"%d of %d","reassignment_count":%d}`, i, c, 1+c*each+i))
						if resp.StatusCode != http.StatusOK {
							t.Errorf("status %d: %s", resp.StatusCode, body)
						}
					}
				})
			}
			all.Wait()
			_, body := s.call(t, "GET /api/now/table/incident/"+first+"?sysparm_fields=sys_mod_count", "")
			if want := fmt.Sprintf(`{"result":{"sys_mod_count":"%d"}}`, clients*each); body != want {
				t.Errorf("%s, want %s", body, want)
			}
		})
	}
}

// The platform counts the rows that a caller may not read; a server may be told to.
func TestStrictCountCountsWhatIsHidden(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), func(d *wire.Deps) { d.StrictCount = true })
			for path, want := range map[string]string{"u_shut": "1", "incident": "3", "incident?sysparm_limit=1": "3"} {
				resp, body := s.call(t, "GET /api/now/table/"+path, "", "As: guest")
				if got := resp.Header.Get("X-Total-Count"); got != want {
					t.Errorf("%s: %s counted, want %s: %s", path, got, want, body)
				}
			}
		})
	}
}

// glide.invalid_query.returns_no_rows, section 2.6.
func TestInvalidTermsMayFindNothing(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), func(d *wire.Deps) { d.NoRowsOnInvalid = true })
			for query, want := range map[string]int{"bogus=1": 0, "bogus=1^state=7": 0, "state=7": 1} {
				_, body := s.call(t, "GET /api/now/table/incident?sysparm_fields=number&sysparm_query="+url.QueryEscape(query), "")
				if got := len(records(t, body)); got != want {
					t.Errorf("%s finds %d, want %d", query, got, want)
				}
			}
		})
	}
}

func TestADeletedReferenceIsDisplayedAsNothing(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, config(t), nil)
			if resp, body := s.call(t, "DELETE /api/now/table/sys_user/"+abel, ""); resp.StatusCode != http.StatusNoContent {
				t.Fatalf("status %d: %s", resp.StatusCode, body)
			}
			_, body := s.call(t, "GET /api/now/table/incident/"+first+"?sysparm_fields=number,caller_id&sysparm_display_value=all&sysparm_exclude_reference_link=true", "")
			want := `{"result":{"number":{"display_value":"INC0000001","value":"INC0000001"},"caller_id":{"display_value":"","value":"` + abel + `"}}}`
			if body != want {
				t.Errorf("%s\nwant %s", body, want)
			}
		})
	}
}

func BenchmarkList50(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := serve(b, config(b), nil)
			fillNotes(b, s.db, 0, 10_000)
			for b.Loop() {
				s.call(b, "GET /api/now/table/u_note?sysparm_limit=50", "")
			}
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := serve(b, config(b), nil)
			for i := 0; b.Loop(); i++ {
				s.call(b, "POST /api/now/table/u_note", fmt.Sprintf(`{"u_key":"k%d","u_text":"text"}`, i))
			}
		})
	}
}
