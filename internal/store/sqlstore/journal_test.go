package sqlstore_test

import (
	"context"
	"fmt"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

var notes = record.Table{Name: "ticket", Fields: []record.Field{{Name: "name", Type: record.String},
	{Name: "comments", Type: record.JournalInput}, {Name: "work_notes", Type: record.Journal}}}

// listener is a rule that notes what it sees in a journal field.
type listener struct{ before, after []string }

func (*listener) Sees(t *record.Table) bool { return t.Name == "ticket" }

func (l *listener) Before(_ context.Context, c *record.Change) error {
	l.before = append(l.before, c.New.Get("comments").Text)
	return nil
}

func (l *listener) After(_ context.Context, c *record.Change) error {
	l.after = append(l.after, c.New.Get("comments").Text)
	return nil
}

func TestJournalsAppendAndTheRecordKeepsNothing(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		rule := &listener{}
		db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Hooks: []record.Hook{rule}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Define(t.Context(), record.System, false, notes); err != nil {
			t.Fatal(err)
		}
		ann := db.As(record.Actor{ID: "a", Name: "ann", Trusted: true})
		r := mustInsert(t, db, "ticket", "name", "x", "comments", "first")
		ticket := db.Catalog().Table("ticket")
		updated, changed, err := ann.Update(t.Context(), ticket, r.ID(), given("comments", "second", "work_notes", "inside"))
		if err != nil || !changed {
			t.Fatalf("saying something changed nothing: %v", err)
		}
		stored, err := ann.Get(t.Context(), ticket, r.ID())
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []*record.Record{r, updated, stored} {
			if got.Get("comments").Valid || got.Get("work_notes").Valid {
				t.Errorf("the record keeps %v", got.Values)
			}
		}
		if stored.Get(record.SysModCount).Text != "1" || stored.Get(record.SysUpdatedBy).Text != "ann" {
			t.Errorf("who said something did not update the record: %v", stored.Values)
		}
		if got := fmt.Sprint(rule.before, rule.after); got != "[first second] [first second]" {
			t.Errorf("rules saw %s", got)
		}
		wantEntries(t, db, r.ID(), "comments=first by system", "comments=second by ann", "work_notes=inside by ann")
		if _, changed, err := ann.Update(t.Context(), ticket, r.ID(), given("comments", "")); err != nil || changed {
			t.Errorf("saying nothing changed something: %v", err)
		}
	})
}

func wantEntries(t *testing.T, db *record.DB, id string, want ...string) {
	t.Helper()
	var got []string
	q := &record.Query{Table: db.Catalog().Table(record.JournalTable), Fields: []string{"element", "value", record.SysCreatedBy, "name", "element_id", record.SysID}}
	for row, err := range db.As(record.System).Select(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if row[3].Text != "ticket" || row[4].Text != id {
			t.Errorf("an entry belongs to %s %s", row[3].Text, row[4].Text)
		}
		got = append(got, row[0].Text+"="+row[1].Text+" by "+row[2].Text)
	}
	seen := map[string]int{}
	for _, e := range got {
		seen[e]++
	}
	for _, e := range want {
		if seen[e] != 1 {
			t.Errorf("the journal is %q, want %q once", got, e)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the journal is %q, want %q", got, want)
	}
}

func TestBlocksSpeakInJournalsToo(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := openDB(t, cfg, notes)
		id := record.NewID()
		err := db.As(record.System).Quiet("test").Write(t.Context(), func(w *record.Writer) error {
			ticket := db.Catalog().Table("ticket")
			rows := &record.Rows{Fields: []string{record.SysID, "name", "comments"}, Values: []record.Value{record.Text(id), record.Text("x"), record.Text("hello")}}
			if err := w.InsertRows(t.Context(), ticket, rows); err != nil {
				return err
			}
			more := &record.Rows{Fields: []string{record.SysID, record.SysModCount, "comments"}, Values: []record.Value{record.Text(id), record.Text("0"), record.Text("again")}}
			stale, err := w.UpdateRows(t.Context(), ticket, more, func(int) []record.Assignment { return nil })
			if len(stale) > 0 {
				t.Error("the record was not found")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEntries(t, db, id, "comments=hello by system", "comments=again by system")
	})
}
