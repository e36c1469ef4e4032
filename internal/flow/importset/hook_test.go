package importset_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
)

// upper is a rule: names are written in capitals, and nobody is called "nobody".
type upper struct{ seen []string }

func (*upper) Sees(t *record.Table) bool { return t.Name == "server" }

func (u *upper) Before(_ context.Context, c *record.Change) error {
	if c.New == nil {
		return nil
	}
	name := c.New.Get("name").Text
	if name == "nobody" {
		return fault.New(fault.Refused, "no such name")
	}
	c.New.Set("name", record.Text(strings.ToUpper(name)))
	return nil
}

func (u *upper) After(_ context.Context, c *record.Change) error {
	r := c.New
	if r == nil {
		r = c.Old
	}
	// A block that holds a refused row is written once more: a hook may run again, and its writes count once.
	if what := string(c.Operation) + " " + r.Get("name").Text; !slices.Contains(u.seen, what) {
		u.seen = append(u.seen, what)
	}
	return nil
}

// Hooks take part in every imported record, may refuse one without spoiling the others, and are skipped by maps that say
// so; change rows are written all the same.
func TestHooksTakePartInImports(t *testing.T) {
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	rule := &upper{}
	db, err := record.Open(t.Context(), store, record.Config{Tables: importset.Tables(), Hooks: []record.Hook{rule}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Define(t.Context(), record.System, false, servers); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, Service: importset.New(db), db: db}
	f.wantLedger(f.load("Serial,Name,Installed,Cost\nA,one,,1\nB,nobody,,1\nC,two,,1\n", serverMap),
		"3 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 1 rejected")
	f.wantLedger(f.load("Serial,Name,Installed,Cost\nA,ONE,,2\nC,TWO,,1\n", serverMap),
		"2 = 0 inserted + 1 updated + 1 unchanged + 0 skipped + 0 rejected")
	if got := strings.Join(rule.seen, ", "); got != "insert ONE, insert TWO, update ONE" {
		t.Errorf("the rule saw %s", got)
	}
	quiet := f.load("Serial,Name,Installed,Cost\nA,one,,2\n", serverMap+"runBusinessRules: false\n")
	f.wantLedger(quiet, "1 = 0 inserted + 1 updated + 0 unchanged + 0 skipped + 0 rejected")
	if len(rule.seen) != 3 {
		t.Error("a quiet map ran the rule")
	}
	undone, err := f.Undo(t.Context(), importset.UndoRequest{Run: quiet.Number, Actor: record.System})
	if err != nil || undone.Restored != 1 {
		t.Errorf("a quiet write left no change row to undo: %+v %v", undone, err)
	}
}
