package rest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

func TestAReadingBeginsAtTheMarkLessTheOverlap(t *testing.T) {
	for _, c := range []struct {
		value, high, asked string // asked by the next reading
		o                  format.Options
	}{
		{"2026-02-28T10:00:00.5+01:00", "2026-02-28T09:00:00.5Z", "2026-02-28T08:55:00.5Z", nil},
		{"2026-02-28 10:00:00", "2026-02-28T09:00:00Z", "2026-02-28 09:50:00", format.Options{"since_format": "datetime", "zone": "Europe/Vienna", "overlap": "10m"}},
		{"2026-02-28 09:00:00", "2026-02-28T09:00:00Z", "2026-02-28 10:00:00", format.Options{"since_format": "datetime", "zone": "UTC", "since_zone": "Europe/Vienna", "overlap": "0s"}},
		{"28.02.2026 10:00", "2026-02-28T10:00:00Z", "28.02.2026 09:55", format.Options{"since_format": "02.01.2006 15:04", "zone": "UTC"}},
		{"2026-02-28", "2026-02-28T00:00:00Z", "2026-02-27", format.Options{"since_format": "date", "zone": "UTC"}},
		{"1772269200", "2026-02-28T09:00:00Z", "1772268900", format.Options{"since_format": "unix"}},
		{"1772269200500", "2026-02-28T09:00:00.5Z", "1772268900500", format.Options{"since_format": "unix_ms"}},
		{"12345678901234567890123", "12345678901234567890123", "12345678901234567890023", format.Options{"since_format": "number", "overlap": "100"}},
		{"2026-02-28T13:00:00Z", "2026-02-28T12:00:00Z", "2026-02-28T11:55:00Z", nil}, // of a clock that runs ahead of the service's
		{"10.25", "10.25", "10.25", format.Options{"since_format": "number"}},
	} {
		asked := ""
		h := func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Query().Get("since")
			w.Header().Set("Date", "Sat, 28 Feb 2026 12:00:00 GMT")
			fmt.Fprintf(w, `[{"at":%q},{"at":null}]`, c.value)
		}
		s := opened(t, new(naps).parts().Kind(), "rest", serve(t, h), with(c.o, "watermark", "at", "since", "since={since}"))
		first := take(t.Context(), s, "")
		if first.err != nil || first.high != c.high || asked != "" {
			t.Errorf("%s: high %s, asked %q, %v", c.value, first.high, asked, first.err)
		}
		if second := take(t.Context(), s, first.high); second.err != nil || second.high != c.high || asked != c.asked {
			t.Errorf("%s: asked %s, high %s, %v", c.value, asked, second.high, second.err)
		}
	}
}

func TestAFirstReadingMayHaveAMarkOfItsOwn(t *testing.T) {
	asked := ""
	h := func(w http.ResponseWriter, r *http.Request) { asked = r.URL.RawQuery; fmt.Fprint(w, `[]`) }
	o := format.Options{"watermark": "at", "since_first": "1970-01-01T00:00:00Z"}
	got := take(t.Context(), opened(t, new(naps).parts().Kind(), "rest", serve(t, h)+"/?from={since}", o), "")
	if got.err != nil || asked != "from=1970-01-01T00%3A00%3A00Z" || got.high != "" {
		t.Errorf("%s, high %q, %v", asked, got.high, got.err)
	}
}

func TestMarksThatCannotBeUsedAreRefused(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[{"at":"yesterday"}]`) }
	for _, c := range []struct {
		since, say string
		o          format.Options
	}{
		{"", "yesterday", format.Options{"watermark": "at"}},
		{"", "no column att", format.Options{"watermark": "att"}},
		{"noon", "noon", format.Options{"watermark": "at", "since": "a={since}"}},
		{"2026-02-28T10:00:00Z", "{since}", format.Options{"watermark": "at"}},
		{"2026-02-28T10:00:00Z", "no watermark", nil},
	} {
		got := take(t.Context(), opened(t, new(naps).parts().Kind(), "rest", serve(t, h), c.o), c.since)
		if fault.KindOf(got.err) != fault.Invalid || !strings.Contains(got.err.Error(), c.say) || fault.HintOf(got.err) == "" {
			t.Errorf("%v: %v", c.o, got.err)
		}
	}
}

// A service changes while it is read again and again from its marks: rows come and are changed, with equal stamps and with
// stamps of clocks that lag. What was read is in the end what the service has.
func TestReadingsFromMarksMissNothingThatTheOverlapCovers(t *testing.T) {
	var s *shop
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r) }) + "/things"
	for seed := range uint64(soak(20, 500)) {
		random := rand.New(rand.NewPCG(seed, 3))
		s = stocked(10 + random.IntN(20))
		s.between = func(s *shop) {
			s.now = s.now.Add(time.Duration(random.IntN(3)) * 2 * time.Minute)
			stamp := s.now.Add(-time.Duration(random.IntN(4)) * time.Minute) // of a node whose clock lags
			for range random.IntN(4) {
				i := random.IntN(len(s.things))
				s.things[i].Name, s.things[i].Changed = fmt.Sprint("changed ", random.Uint32()), stamp
			}
			if random.IntN(2) == 0 {
				s.make()
				s.things[len(s.things)-1].Changed = stamp
			}
		}
		rows := opened(t, new(naps).parts().Kind(), "rest", at, with(sized("keyset", 5), "watermark", "changed", "since", "since={since}", "overlap", "5m"))
		copied, high := map[string]string{}, ""
		for range 5 {
			high = copyOf(t, rows, high, copied)
		}
		s.between = nil
		copyOf(t, rows, high, copied)
		if want := s.listed(); !maps.Equal(copied, want) {
			t.Errorf("seed %d: %d rows, %d in the service", seed, len(copied), len(want))
		}
	}
}

// copyOf takes a reading over into a copy by the first column.
func copyOf(t *testing.T, rows source.Rows, since string, into map[string]string) string {
	t.Helper()
	got := take(t.Context(), rows, since)
	if got.err != nil {
		t.Fatal(got.err)
	}
	for _, row := range got.rows {
		id, name, _ := strings.Cut(row, "|")
		into[id] = name
	}
	return got.high
}

// listed is what copyOf makes of everything.
func (s *shop) listed() map[string]string {
	out := map[string]string{}
	for _, r := range s.things {
		changed, _ := json.Marshal(r.Changed)
		out[fmt.Sprint(r.ID)] = r.Name + "|" + strings.Trim(string(changed), `"`)
	}
	return out
}
