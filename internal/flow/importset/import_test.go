package importset_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/connect/format/csv"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
	"headrace/internal/store/sqlstore"
)

var servers = record.Table{Name: "server", Label: "Server", Fields: []record.Field{
	{Name: "serial", Label: "Serial", Type: record.String, Length: 40},
	{Name: "name", Label: "Name", Type: record.String, Display: true},
	{Name: "installed", Label: "Installed", Type: record.Date},
	{Name: "cost", Label: "Cost", Type: record.Decimal},
	{Name: "active", Label: "Active", Type: record.Boolean, Default: "true"},
	{Name: "parent", Label: "Parent", Type: record.Reference, Reference: "server"},
}}

const serverMap = `
name: servers
targetTable: server
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
  installed: Installed
  cost: Cost
`

// fixture is a service over an empty database.
type fixture struct {
	t *testing.T
	*importset.Service
	db *record.DB
}

func open(t *testing.T, tables ...record.Table) *fixture {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := record.Open(t.Context(), store, record.Config{Tables: importset.Tables()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Define(t.Context(), record.System, false, tables...); err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, Service: importset.New(db), db: db}
}

func text(name, content string) importset.Source {
	return importset.Source{Name: name, Size: int64(len(content)), Format: csv.Format{},
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func maps(t *testing.T, yaml string) []transform.Def {
	t.Helper()
	defs, err := transform.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func (f *fixture) load(content, yaml string) *importset.Run {
	f.t.Helper()
	run, err := f.Import(f.t.Context(), importset.Request{Source: text("servers.csv", content), Maps: maps(f.t, yaml), Actor: record.System})
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

func (f *fixture) wantLedger(run *importset.Run, want string) {
	f.t.Helper()
	if got := run.Ledger.String(); got != want {
		f.t.Errorf("run %d: %s\nwant   %s", run.Number, got, want)
		for row, err := range f.Rows(f.t.Context(), run.Number) {
			f.t.Logf("line %d %s %+v %v", row.Line, row.Fate, row.Reject, err)
		}
	}
}

const monday = "Serial,Name,Installed,Cost\nA1,alpha,2026-01-02,10.50\nA2,beta,2026-02-03,20\na1,again,2026-01-02,1\nA3,gamma,03.11.2026,5\n,nokey,2026-01-01,1\nA5,five\n"

func TestImportAccountsForEveryRow(t *testing.T) {
	f := open(t, servers)
	run := f.load(monday, serverMap)
	f.wantLedger(run, "6 = 2 inserted + 0 updated + 0 unchanged + 2 skipped + 2 rejected")
	groups, err := f.Reasons(t.Context(), run.Number)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprintf("%s %s %v %s", g.Fate, g.Reason, g.Lines, g.Example.Hint))
	}
	want := []string{"skipped duplicate_key [4] ", "rejected date_unparsable [5] add dateFormat: dd.MM.yyyy",
		"skipped key_empty [6] coalesceEmptyFields matches empty keys, createOnEmptyCoalesce inserts such rows", "rejected row_ragged [7] "}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("reasons:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSecondImportChangesNothing(t *testing.T) {
	f := open(t, servers)
	f.load(monday, serverMap)
	run := f.load(monday, serverMap)
	f.wantLedger(run, "6 = 0 inserted + 0 updated + 2 unchanged + 2 skipped + 2 rejected")
	run = f.load(strings.Replace(monday, "beta", "BETA", 1)+"A9,new,2026-05-05,\n", serverMap)
	f.wantLedger(run, "7 = 1 inserted + 1 updated + 1 unchanged + 2 skipped + 2 rejected")
}

func (f *fixture) checksum() string {
	f.t.Helper()
	t, err := f.db.Table("server")
	if err != nil {
		f.t.Fatal(err)
	}
	sum, err := f.Checksum(f.t.Context(), t)
	if err != nil {
		f.t.Fatal(err)
	}
	return sum
}

func TestUndoRestoresAndRefuses(t *testing.T) {
	f := open(t, servers)
	f.load(monday, serverMap)
	before := f.checksum()
	run := f.load(strings.ReplaceAll(monday, "alpha", "ALPHA")+"A9,new,2026-05-05,\nA10,new2,2026-05-05,\n", serverMap)
	f.wantLedger(run, "8 = 2 inserted + 1 updated + 1 unchanged + 2 skipped + 2 rejected")
	dry, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, DryRun: true, Actor: record.System})
	if err != nil || dry.Removed != 2 || dry.Restored != 1 || dry.Refused != 0 {
		t.Fatalf("dry run: %+v %v", dry, err)
	}
	done, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System})
	if err != nil || done.Removed != 2 || done.Restored != 1 || done.Refused != 0 {
		t.Fatalf("undo: %+v %v", done, err)
	}
	if after := f.checksum(); after != before {
		t.Error("the table is not what it was before the run")
	}
	if _, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System}); err == nil {
		t.Error("a run can be undone twice")
	}
}

func TestUndoLeavesWhatChangedSince(t *testing.T) {
	f := open(t, servers)
	run := f.load(monday, serverMap)
	table, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	var edited string
	for row, err := range f.Rows(t.Context(), run.Number, importset.Inserted) {
		if err != nil {
			t.Fatal(err)
		}
		edited = row.Target
	}
	if _, _, err := f.db.As(record.System).Update(t.Context(), table, edited, []record.Assignment{{Field: "name", Value: record.Text("mine")}}); err != nil {
		t.Fatal(err)
	}
	done, err := f.Undo(t.Context(), importset.UndoRequest{Run: run.Number, Actor: record.System})
	if err != nil || done.Removed != 1 || done.Refused != 1 || done.List[0].Record != edited || done.List[0].Why != "changed since" {
		t.Fatalf("undo: %+v %v", done, err)
	}
	r, err := f.db.As(record.System).Get(t.Context(), table, edited)
	if err != nil || r.Get("name").Text != "mine" {
		t.Errorf("the edited record is gone or altered: %v %v", r, err)
	}
}

func TestRetryTouchesRejectedRowsOnly(t *testing.T) {
	f := open(t, servers)
	run := f.load(monday, serverMap)
	mended := strings.Replace(serverMap, "installed: Installed", "installed: {sourceField: Installed, dateFormat: dd.MM.yyyy}", 1)
	again, err := f.Retry(t.Context(), importset.RetryRequest{Run: run.Number, Maps: maps(t, mended), Actor: record.System})
	if err != nil {
		t.Fatal(err)
	}
	f.wantLedger(again, "6 = 3 inserted + 0 updated + 0 unchanged + 2 skipped + 1 rejected")
	stored, err := f.Run(t.Context(), run.Number)
	if err != nil || stored.Ledger != again.Ledger || stored.Maps[0].Ledger != again.Ledger {
		t.Errorf("stored %+v, want %+v (%v)", stored, again, err)
	}
}

// A second import of the same bytes may take its fates from the first, and must not when anything they rest on changed.
func TestSameBytesAreKnownAgain(t *testing.T) {
	f := open(t, servers)
	content := feed(300, nil) + "S00001,again,,\n,nokey,,\nbad\n"
	first := f.load(content, serverMap)
	second := f.load(content, serverMap)
	want := "303 = 0 inserted + 0 updated + 300 unchanged + 2 skipped + 1 rejected"
	f.wantLedger(second, want)
	third := f.load(content, serverMap)
	f.wantLedger(third, want)
	if first.Same != 0 || second.Same != first.Number || third.Same != second.Number {
		t.Errorf("runs %d, %d, %d are the same as %d, %d, %d", first.Number, second.Number, third.Number, first.Same, second.Same, third.Same)
	}
	var a, b []string
	for _, n := range []*importset.Run{second, third} {
		for row, err := range f.Rows(t.Context(), n.Number) {
			if err != nil {
				t.Fatal(err)
			}
			a = append(a, fmt.Sprintf("%d %d %s %s %v %+v", row.Row, row.Line, row.Fate, row.Target, row.Cells, row.Reject))
		}
		a, b = b, a
	}
	if strings.Join(a, "\n") != strings.Join(b, "\n") || len(a) != 303 {
		t.Errorf("%d and %d rows, not the same", len(a), len(b))
	}
}

// A run that takes over the rows of another is not done with fewer of them, whoever has removed the rest.
func TestARunThatIsTakenOverMustBeWhole(t *testing.T) {
	f := open(t, servers)
	content := feed(300, nil)
	f.load(content, serverMap)
	var last record.Value
	rows := f.db.Catalog().Table(importset.RowTable)
	remove := func(*importset.Run) {
		if err := f.db.As(record.System).Write(t.Context(), func(w *record.Writer) error {
			for row, err := range w.Tx().Select(t.Context(), &record.Query{Table: rows, Fields: []string{"id"}, OrderBy: []query.Order{{Field: "id", Desc: true}}, Limit: 1}) {
				if err != nil {
					return err
				}
				last = row[0]
			}
			_, err := w.Tx().Delete(t.Context(), rows, []record.Value{last})
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	second, err := f.Import(t.Context(), importset.Request{Source: text("servers.csv", content), Maps: maps(t, serverMap), Actor: record.System, Began: remove})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "299 are left") || second.State != importset.Halted {
		t.Fatalf("%+v: %v", second, err)
	}
	third := f.load(content, serverMap)
	if third.Number != second.Number || third.State != importset.Done || third.Ledger.Read != 300 {
		t.Errorf("it goes on as %+v", third)
	}
}

func TestSameBytesAreReadAgainWhenSomethingChanged(t *testing.T) {
	content := feed(50, nil)
	edits := map[string]func(f *fixture, run *importset.Run){
		"an edit": func(f *fixture, run *importset.Run) {
			for row, err := range f.Rows(t.Context(), run.Number) {
				if err != nil {
					t.Fatal(err)
				}
				table, err := f.db.Table("server")
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := f.db.As(record.System).Update(t.Context(), table, row.Target, []record.Assignment{{Field: "name", Value: record.Text("mine")}}); err != nil {
					t.Fatal(err)
				}
				return
			}
		},
		"another import": func(f *fixture, run *importset.Run) {
			if _, err := f.Import(t.Context(), importset.Request{Source: text("other.csv", "Serial,Name,Installed,Cost\nS00007,other,,\n"), Maps: maps(t, serverMap), Actor: record.System}); err != nil {
				t.Fatal(err)
			}
		},
		"an undo": func(f *fixture, run *importset.Run) {
			again := f.load(feed(50, func(i int, line string) string { return strings.Replace(line, "server 3,", "x,", 1) }), serverMap)
			if _, err := f.Undo(t.Context(), importset.UndoRequest{Run: again.Number, Actor: record.System}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			f := open(t, servers)
			edit(f, f.load(content, serverMap))
			run := f.load(content, serverMap)
			if run.Same != 0 {
				t.Errorf("run %d was taken from run %d", run.Number, run.Same)
			}
			want := "50 = 0 inserted + 1 updated + 49 unchanged + 0 skipped + 0 rejected"
			if name == "an undo" {
				want = "50 = 0 inserted + 0 updated + 50 unchanged + 0 skipped + 0 rejected"
			}
			f.wantLedger(run, want)
		})
	}
	f := open(t, servers)
	f.load(content, serverMap)
	if run := f.load(content, serverMap+"copyEmptyFields: true\n"); run.Same != 0 {
		t.Error("another map is not the same import")
	}
	if run := f.load(strings.Replace(content, "server 3,", "Server 3,", 1), serverMap); run.Same != 0 || run.Ledger.Updated != 1 {
		t.Errorf("other bytes of the same length: %+v", run)
	}
}

// A row that the store refuses spoils itself and not its block, whether it is inserted or updated, and references that
// the block creates are created once.
func TestRowsTheStoreRefusesSpoilOnlyThemselves(t *testing.T) {
	unique := servers
	unique.Fields = append([]record.Field(nil), servers.Fields...)
	unique.Fields[1].Unique = true // the name, which is not the key
	f := open(t, unique, record.Table{Name: "rack", Fields: []record.Field{{Name: "name", Type: record.String, Display: true}}},
		record.Table{Name: "server", Fields: []record.Field{{Name: "rack", Type: record.Reference, Reference: "rack"}}})
	yaml := strings.Replace(serverMap, "  cost: Cost\n", "  rack: {sourceField: Cost, choiceAction: create}\n", 1)
	f.wantLedger(f.load("Serial,Name,Installed,Cost\nA,one,,r1\nB,two,,r1\nC,one,,r2\nD,four,,r3\n", yaml),
		"4 = 3 inserted + 0 updated + 0 unchanged + 0 skipped + 1 rejected")
	run := f.load("Serial,Name,Installed,Cost\nA,uno,,r1\nB,four,,r1\nD,four,,r4\nE,five,,r4\nF,five,,r1\n", yaml)
	f.wantLedger(run, "5 = 1 inserted + 2 updated + 0 unchanged + 0 skipped + 2 rejected")
	groups, err := f.Reasons(t.Context(), run.Number)
	if err != nil || len(groups) != 1 || groups[0].Reason != "unique_conflict" || fmt.Sprint(groups[0].Lines) != "[3 6]" {
		t.Errorf("reasons: %+v %v", groups, err)
	}
	rack, err := f.db.Table("rack")
	if err != nil {
		t.Fatal(err)
	}
	racks := map[string]string{}
	for row, err := range f.db.As(record.System).Select(t.Context(), &record.Query{Table: rack, Fields: []string{"sys_id", "name"}}) {
		if err != nil {
			t.Fatal(err)
		}
		racks[row[0].Text] = row[1].Text
	}
	server, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range f.db.As(record.System).Select(t.Context(), &record.Query{Table: server, Fields: []string{"serial", "rack"}}) {
		if err != nil || racks[row[1].Text] == "" {
			t.Errorf("server %v refers to no rack of %v (%v)", row, racks, err)
		}
	}
}
