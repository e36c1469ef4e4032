package importset_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// define makes a record.
func (f *fixture) define(table string, values map[string]string) string {
	f.t.Helper()
	var as []record.Assignment
	for name, v := range values {
		as = append(as, record.Assignment{Field: name, Value: record.Text(v)})
	}
	r, err := f.db.As(record.System).Insert(f.t.Context(), f.db.Catalog().Table(table), as)
	if err != nil {
		f.t.Fatal(err)
	}
	return r.ID()
}

// feed makes a map from u_feed into server, by records, as people at the API do.
func (f *fixture) feed() {
	id := f.define(importset.MapTable, map[string]string{"name": "Feed", "source_table": "u_feed", "target_table": "server"})
	for target, source := range map[string]string{"serial": "serial", "name": "Name", "installed": "installed"} {
		f.define(importset.EntryTable, map[string]string{"map": id, "source_field": source, "target_field": target, "coalesce": fmt.Sprint(target == "serial")})
	}
}

func (f *fixture) push(columns string, rows ...string) *importset.Pushed {
	f.t.Helper()
	out, err := f.Push(f.t.Context(), pushOf(columns, rows...))
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func pushOf(columns string, rows ...string) importset.PushRequest {
	req := importset.PushRequest{Table: "u_feed", Columns: strings.Split(columns, ","), Actor: record.Actor{ID: "x", Name: "ada"}}
	for _, r := range rows {
		var cells []record.Value
		for _, c := range strings.Split(r, ",") {
			cells = append(cells, record.Text(c))
		}
		req.Rows = append(req.Rows, cells)
	}
	return req
}

func TestPushedRowsAreTransformedAtOnce(t *testing.T) {
	f := open(t, servers)
	f.feed()
	for _, c := range []struct{ columns, row, fate, code string }{
		{"serial,name", "A1,web", "inserted", ""},
		{"serial,Name", "A1,web", "unchanged", ""},
		{"serial,name", "a1,web2", "updated", ""},
		{"serial,name", ",nobody", "skipped", "key_empty"},
		{"serial,installed", "A1,yesterday", "rejected", "date_unparsable"},
		{"serial,colour", "A2,blue", "inserted", ""},
	} {
		p := f.push(c.columns, c.row)
		o := p.Rows[0].Outcomes[0]
		code := ""
		if o.Reject != nil {
			code = o.Reject.Code
		}
		if o.Fate.String() != c.fate || code != c.code {
			t.Errorf("%s: %s is %s %q, not %s %q", c.columns, c.row, o.Fate, code, c.fate, c.code)
		}
		again, err := f.Pushed(t.Context(), "u_feed", p.Rows[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Rows[0].Outcomes[0]; got.Fate != o.Fate || got.Record != o.Record || got.Map != "Feed" {
			t.Errorf("read again, %+v is %+v", o, got)
		}
	}
	run, err := f.Run(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (importset.Ledger{Read: 6, Inserted: 2, Updated: 1, Unchanged: 1, Skipped: 1, Rejected: 1}); run.Ledger != want || run.State != importset.Loading {
		t.Errorf("the day's set is %s, %s", run.State, run.Ledger)
	}
	st, err := f.Staging(t.Context(), "u_feed")
	if err != nil || !strings.Contains(strings.Join(st.Columns, ","), "colour") {
		t.Errorf("a new column is not kept: %v, %v", st, err)
	}
	for row, err := range f.Rows(t.Context(), 1, importset.Inserted) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Row == 5 && row.Cells[len(row.Cells)-1].Text != "blue" {
			t.Errorf("a value without a map is not kept: %v", row.Cells)
		}
	}
}

// Pushes have runs too, which tell nothing of a format.
func TestMapsOfRunsAreFoundAmongPushes(t *testing.T) {
	f := open(t, servers)
	f.feed()
	f.push("serial,name", "A1,web")
	f.load("Serial,Name\nB1,db\n", "name: Named\ntargetTable: server\nfields: {serial: {sourceField: Serial, coalesce: true}, name: Name}\n")
	f.push("serial,name", "A2,web")
	for _, name := range []string{"Named", "Feed"} {
		found, err := f.MapsNamed(t.Context(), name)
		if err != nil || len(found) != 1 || found[0].Name != name {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
}

func TestUndoOfPushesClosesTheirSet(t *testing.T) {
	f := open(t, servers)
	f.feed()
	f.push("serial,name", "A1,one", "A2,two")
	report, err := f.Undo(t.Context(), importset.UndoRequest{Run: 1, Actor: record.System})
	if err != nil || report.Removed != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if p := f.push("serial,name", "A1,one"); p.Run != 2 || p.Rows[0].Outcomes[0].Fate != importset.Inserted {
		t.Errorf("pushed after the undo: %+v", p)
	}
}

// working runs Work until the test ends or stop is called.
func (f *fixture) working(s *importset.Service) (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		s.Work(ctx, func(run int64, err error) { f.t.Errorf("run %d: %v", run, err) })
	})
	return func() { cancel(); done.Wait() }
}

func TestLoadsAreKeptBeforeTheyAreTransformed(t *testing.T) {
	f := open(t, servers)
	f.feed()
	first, err := f.Load(t.Context(), importset.LoadRequest{PushRequest: pushOf("serial,name", "A1,one", "A2,two", "A1,three")})
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Load(t.Context(), importset.LoadRequest{PushRequest: pushOf("serial,name", "A1,four"), RunAfter: first.SetID, Group: first.Group})
	if err != nil {
		t.Fatal(err)
	}
	run, table, err := f.RunOf(t.Context(), first.SetID)
	if err != nil || run.Ledger != (importset.Ledger{Read: 3, Pending: 3}) || table != "u_feed" {
		t.Fatalf("kept: %+v %v", run, err)
	}
	if n, err := f.db.As(record.System).Count(t.Context(), f.db.Catalog().Table("server"), nil); err != nil || n != 0 {
		t.Fatalf("transformed too early: %d, %v", n, err)
	}
	stop := f.working(f.Service)
	defer stop()
	for _, id := range []string{second.SetID, first.SetID} {
		if _, err := f.Transform(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	run, _, err = f.RunOf(t.Context(), first.SetID)
	if err != nil || run.State != importset.Done || run.Ledger != (importset.Ledger{Read: 3, Inserted: 2, Skipped: 1}) {
		t.Errorf("transformed: %+v %v", run, err)
	}
}

func TestALoadCutOffGoesOnWhereItStopped(t *testing.T) {
	f := open(t, servers)
	f.feed()
	var rows []string
	for i := range 30_000 {
		rows = append(rows, fmt.Sprintf("S%d,host %d", i, i))
	}
	got, err := f.Load(t.Context(), importset.LoadRequest{PushRequest: pushOf("serial,name", rows...)})
	if err != nil {
		t.Fatal(err)
	}
	stop := f.working(f.Service)
	for { // until some of it is done, and not all
		run, _, err := f.RunOf(t.Context(), got.SetID)
		if err != nil {
			t.Fatal(err)
		}
		if run.Ledger.Inserted > 0 {
			break
		}
	}
	stop()
	run, err := importset.New(f.db).Transform(t.Context(), got.SetID)
	if err != nil || run.State != importset.Done || run.Ledger != (importset.Ledger{Read: 30_000, Inserted: 30_000}) {
		t.Fatalf("%+v %v", run, err)
	}
	where := &query.Term{Field: "serial", Op: query.StartsWith, Values: []string{"S"}}
	if n, err := f.db.As(record.System).Count(t.Context(), f.db.Catalog().Table("server"), where); err != nil || n != 30_000 {
		t.Errorf("%d records, %v", n, err)
	}
}
