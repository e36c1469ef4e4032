package cleaner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule/cleaner"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// house is a store with a log, parts of its entries, and notes of people.
type house struct {
	t       *testing.T
	db      *record.DB
	now     time.Time
	cleaner *cleaner.Service
	owned   []string // what the owner was told to remove
}

func open(t *testing.T, cfg sqlstore.Config) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	text := func(name string) record.Field { return record.Field{Name: name, Type: record.String} }
	tables := append(cleaner.Tables(), record.Table{Name: "u_log", Fields: []record.Field{text("state"), {Name: "ended", Type: record.DateTime}}},
		record.Table{Name: "u_part", Fields: []record.Field{{Name: "log", Type: record.Reference, Reference: "u_log"}}},
		record.Table{Name: "u_note", Fields: []record.Field{text("state"), {Name: "ended", Type: record.DateTime}}},
		record.Table{Name: "u_set", Fields: []record.Field{text("state"), {Name: "ended", Type: record.DateTime}}})
	var err error
	h.db, err = record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: tables, Clock: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	h.cleaner = cleaner.New(cleaner.Config{DB: h.db, Books: map[string][]cleaner.Child{"u_log": {{Table: "u_part", Field: "log"}}},
		Owners: map[string]cleaner.Owner{"u_set": func(ctx context.Context, id string) error {
			h.owned = append(h.owned, id)
			return h.db.As(record.System).Delete(ctx, h.db.Catalog().Table("u_set"), id)
		}}})
	return h
}

func (h *house) insert(table string, pairs ...string) string {
	h.t.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	r, err := h.db.As(record.System).Insert(h.t.Context(), h.db.Catalog().Table(table), values)
	if err != nil {
		h.t.Fatal(err)
	}
	return r.ID()
}

// logged makes n entries that ended before a time, a second apart.
func (h *house) logged(n int, before time.Duration) (ids []string) {
	h.t.Helper()
	err := h.db.As(record.System).Write(h.t.Context(), func(w *record.Writer) error {
		rows := &record.Rows{Fields: []string{record.SysID, "state", "ended"}}
		for i := range n {
			ids = append(ids, record.NewID())
			rows.Values = append(rows.Values, record.Text(ids[i]), record.Text("done"), record.Text(h.ago(before+time.Duration(i)*time.Second)))
		}
		return w.Tx().Insert(h.t.Context(), h.db.Catalog().Table("u_log"), rows)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return ids
}

func (h *house) rule(table, conditions string, age time.Duration) string {
	return h.insert(cleaner.Table, "tablename", table, "matchfield", "ended", "conditions", conditions, "age", fmt.Sprint(int(age/time.Second)))
}

func (h *house) count(table string, where query.Node) int64 {
	h.t.Helper()
	n, err := h.db.As(record.System).Count(h.t.Context(), h.db.Catalog().Table(table), where)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) ago(d time.Duration) string { return h.now.Add(-d).Format(record.DateTimeLayout) }

func (h *house) sweep(want int64) {
	h.t.Helper()
	n, err := h.cleaner.Sweep(h.t.Context())
	if err != nil || n != want {
		h.t.Errorf("removed %d, want %d, %v", n, want, err)
	}
}

func TestWhatIsOlderAndMeantIsRemovedAndNothingElse(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		const day = 24 * time.Hour
		var parts []string
		for i, id := range h.logged(1203, day) { // more than a batch, and not a whole number of them
			if i%400 == 0 {
				parts = append(parts, h.insert("u_part", "log", id))
			}
		}
		kept := h.insert("u_log", "state", "dead", "ended", h.ago(9*day))
		part := h.insert("u_part", "log", kept)
		h.insert("u_log", "state", "done", "ended", h.ago(day-time.Second))
		h.insert("u_log", "state", "done") // it has not ended
		h.rule("u_log", "state=done", day-time.Second)
		before := h.count(record.ChangeTable, nil)
		h.sweep(1203)
		if n := h.count("u_log", nil); n != 3 {
			t.Errorf("%d entries are left", n)
		}
		if n := h.count("u_part", nil); n != 1 || h.count("u_part", &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{part}}) != 1 {
			t.Errorf("%d parts are left of %d", n, len(parts)+1)
		}
		if after := h.count(record.ChangeTable, nil); after != before {
			t.Errorf("book-keeping left %d change rows", after-before)
		}
	})
}

func TestRecordsOfPeopleLeaveChangeRows(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		id := h.insert("u_note", "state", "x", "ended", h.ago(time.Hour))
		h.rule("u_note", "", time.Minute)
		h.sweep(1)
		gone := &query.And{Parts: []query.Node{&query.Term{Field: "record", Op: query.Equal, Values: []string{id}},
			&query.Term{Field: "operation", Op: query.Equal, Values: []string{string(record.Deleted)}}}}
		if n := h.count(record.ChangeTable, gone); n != 1 {
			t.Errorf("%d change rows tell of the removal", n)
		}
	})
}

func TestOwnersRemoveWhatIsTheirs(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		want := []string{h.insert("u_set", "ended", h.ago(time.Hour)), h.insert("u_set", "ended", h.ago(2*time.Hour))}
		h.rule("u_set", "", time.Minute)
		h.sweep(2)
		if !slices.Equal(h.owned, want) {
			t.Errorf("told to remove %v, want %v", h.owned, want)
		}
	})
}

func TestARuleIsFollowedOnceAnHour(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		h.rule("u_log", "", time.Minute)
		h.insert("u_log", "ended", h.ago(time.Hour))
		h.sweep(1)
		h.insert("u_log", "ended", h.ago(time.Hour))
		h.now = h.now.Add(cleaner.Every - time.Second)
		h.sweep(0)
		h.now = h.now.Add(time.Second)
		h.sweep(1)
	})
}

func TestARuleThatCannotBeFollowedRemovesNothingAndSaysWhy(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		h.insert("u_log", "state", "done", "ended", h.ago(time.Hour))
		set := func(field, value string) []string { return []string{field, value} }
		base := map[string]string{"tablename": "u_log", "matchfield": "ended", "age": "60"}
		for why, change := range map[string][]string{"nowhere": set("tablename", "nowhere"), "state": set("matchfield", "state"),
			"stat=done": set("conditions", "stat=done"), "above 0": set("age", "-1"), "by age": set("tablename", record.ChangeTable)} {
			pairs := []string{}
			for field, value := range base {
				if field != change[0] {
					pairs = append(pairs, field, value)
				}
			}
			if change[1] == record.ChangeTable {
				pairs = append(slices.DeleteFunc(pairs, func(s string) bool { return s == "matchfield" || s == "ended" }), "matchfield", "at")
			}
			id := h.insert(cleaner.Table, append(pairs, change...)...)
			n, err := h.cleaner.Sweep(t.Context())
			if n != 0 || err == nil || fault.KindOf(err) == fault.Internal {
				t.Errorf("%s: removed %d, %v", why, n, err)
			}
			r, err := h.db.As(record.System).Get(t.Context(), h.db.Catalog().Table(cleaner.Table), id)
			if err != nil || !strings.Contains(r.Get("message").Text, "cleaning") {
				t.Errorf("%s: message %q, %v", why, r.Get("message").Text, err)
			}
			if err := h.db.As(record.System).Delete(t.Context(), r.Table, id); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.count("u_log", nil); n != 1 {
			t.Errorf("%d entries are left", n)
		}
	})
}

func TestSeedsAreMadeOnceAndCanBeSwitchedOff(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		h := open(t, cfg)
		rules := []cleaner.Rule{{Table: "u_log", Field: "ended", Conditions: "state=done", Age: time.Hour}, {Table: "u_note", Field: "ended", Age: time.Hour}}
		for range 2 {
			if err := cleaner.Seed(t.Context(), h.db, rules); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.count(cleaner.Table, nil); n != 2 {
			t.Fatalf("%d rules", n)
		}
		h.insert("u_log", "state", "done", "ended", h.ago(2*time.Hour))
		if _, _, err := h.db.As(record.System).Update(t.Context(), h.db.Catalog().Table(cleaner.Table), record.IDFrom(cleaner.Table, "u_log state=done"),
			[]record.Assignment{{Field: "active", Value: record.Text("false")}}); err != nil {
			t.Fatal(err)
		}
		h.sweep(0)
	})
}
