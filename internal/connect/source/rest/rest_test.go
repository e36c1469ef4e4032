package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xml"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/rest"
)

// naps is a sleeper that does not sleep and remembers how long it should have.
type naps struct {
	mu  sync.Mutex
	all []time.Duration
}

func (n *naps) sleep(ctx context.Context, d time.Duration) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, d)
	return ctx.Err()
}

func (n *naps) parts() rest.Parts {
	return rest.Parts{Formats: []format.Format{json.Format{}, xml.Format{}, csv.Format{}}, Sleep: n.sleep,
		Clock: func() time.Time { return time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC) }}
}

// serve starts a service on loopback.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// opened opens a service at a URL that begins with http.
func opened(t *testing.T, kind source.Kind, prefix, at string, o format.Options) source.Rows {
	t.Helper()
	u, err := url.Parse(prefix + "+" + at)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := kind.Rows(source.Address{URL: u, Options: o, Inside: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	})
	return rows
}

// taken is what a reading gave.
type taken struct {
	rows   []string // cells parted by |, null as ~
	header []string
	bad    int // rows that were spoiled
	high   string
	total  int64
	err    error
}

func take(ctx context.Context, s source.Rows, since string) taken {
	var out taken
	r := s.Read(ctx, since)
	for row, err := range r.Rows {
		if err != nil {
			out.err = err
			break
		}
		if out.header = row.Header.Columns; row.Cells == nil {
			continue
		}
		var cells []string
		for i := range row.Header.Columns {
			switch {
			case i < len(row.Cells) && row.Cells[i].Valid:
				cells = append(cells, row.Cells[i].Text)
			default:
				cells = append(cells, "~")
			}
		}
		if row.Err != nil {
			out.bad++
		}
		out.rows = append(out.rows, strings.Join(cells, "|"))
	}
	out.high, out.total = r.High(), r.Total()
	return out
}

// pull reads a service once.
func pull(t *testing.T, at string, o format.Options) taken {
	t.Helper()
	return take(t.Context(), opened(t, new(naps).parts().Kind(), "rest", at, o), "")
}

func TestRowsComeOutAsFromAFile(t *testing.T) {
	for _, c := range []struct {
		name, body, header, rows string
		o                        format.Options
	}{
		{"list found", `{"result":[{"a":1,"b":{"c":"x"}},{"a":2.50,"d":null}]}`, "a|b.c|d", "1|x|~/2.50|~|~", nil},
		{"root array", `[{"a":1}]`, "a", "1", nil},
		{"one object", `{"a":1}`, "a", "1", format.Options{"rows": "/"}},
		{"null list", `{"result":null}`, "", "", format.Options{"rows": "/result"}},
		{"empty list", `{"result":[]}`, "", "", format.Options{"rows": "/result"}},
		{"lines", "{\"a\":1}\n{\"a\":2}\n", "a", "1/2", format.Options{"format": "ndjson"}},
		{"no lines", "", "", "", format.Options{"format": "ndjson"}},
		{"XML", `<r><i><a>1</a></i><i><a>2</a></i></r>`, "a", "1/2", format.Options{"format": "xml"}},
		{"CSV", "a;b\n1;2\n", "a|b", "1|2", format.Options{"format": "csv"}},
		{"CSV with options", "1;2\n", "column_1|column_2", "1|2", format.Options{"format": "csv", "format_options": `{"header":"false"}`}},
		{"damaged row", "[{\"a\":1},\n{\"a\":01},\n{\"a\":3}]", "a", "1/~/3", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := pull(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.body) }), c.o)
			if got.err != nil || strings.Join(got.header, "|") != c.header {
				t.Errorf("header %q, %v", got.header, got.err)
			}
			if rows := strings.Join(got.rows, "/"); rows != c.rows {
				t.Errorf("rows %s", rows)
			}
		})
	}
}
