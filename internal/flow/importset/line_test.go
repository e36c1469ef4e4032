package importset_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"headrace/internal/connect/format/csv"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// over is a fixture over a store of the kind.
func over(t *testing.T, cfg sqlstore.Config, tables ...record.Table) *fixture {
	t.Helper()
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: importset.Tables()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Define(t.Context(), record.System, false, tables...); err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, Service: importset.New(db), db: db}
}

// many is a CSV of n servers in blocks of some 1,500, because rows are long; every seventh row repeats the key of the one
// 2,000 before it, blocks away. It tells how many keys there are.
func many(n int, name string) (content string, keys int64) {
	var b strings.Builder
	b.WriteString("Serial,Name,Installed,Cost\n")
	long := strings.Repeat(" and more", 220)
	for i := range n {
		key := i
		if i%7 == 0 && i > 2000 {
			key = i - 2000
		} else {
			keys++
		}
		fmt.Fprintf(&b, "S%06d,%s %d%s,2026-01-02,%d.50\n", key, name, i, long, i)
	}
	return b.String(), keys
}

func (f *fixture) servers() int64 {
	f.t.Helper()
	return f.kept("server")
}

// Large imports into an empty table are written with two transactions open where the store can have them.
func TestManyBlocksComeToTheSameOnEveryStore(t *testing.T) {
	content, keys := many(7000, "server")
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		run := f.load(content, serverMap)
		if want := (importset.Ledger{Read: 7000, Inserted: keys, Skipped: 7000 - keys}); run.Ledger != want {
			t.Errorf("%s, want %s", run.Ledger, want)
		}
		if n, m := f.servers(), f.kept(importset.RowTable); n != keys || m != 7000 {
			t.Errorf("%d servers, %d staging rows", n, m)
		}
		run = f.load(content+"S000001,other,2026-01-02,1\n", serverMap)
		if want := (importset.Ledger{Read: 7001, Unchanged: keys, Skipped: 7001 - keys}); run.Ledger != want {
			t.Errorf("%s, want %s", run.Ledger, want)
		}
	})
}

// A unique index over the key keeps nothing from being written side by side; one over another field does, for two blocks
// might hold what it forbids.
func TestUniqueIndexesHoldAcrossBlocks(t *testing.T) {
	content, keys := many(7000, "server")
	content = strings.Replace(content, "S004000,", "s000000,", 1) // the key of the first row, otherwise written: row 4000 is no repetition
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		keyed, named := servers, servers
		keyed.Indexes = append(slices.Clone(keyed.Indexes), record.Index{Fields: []string{"serial"}, Unique: true})
		named.Name, named.Indexes = "named", append(slices.Clone(named.Indexes), record.Index{Fields: []string{"installed"}, Unique: true})
		f := over(t, cfg, keyed, named)
		run := f.load(content, serverMap)
		if want := (importset.Ledger{Read: 7000, Inserted: keys - 1, Skipped: 7000 - keys + 1}); run.Ledger != want || f.servers() != keys-1 {
			t.Errorf("%s, want %s, %d servers", run.Ledger, want, f.servers())
		}
		few := strings.Join(strings.SplitAfter(content, "\n")[:1700], "")
		if run = f.load(few, strings.Replace(serverMap, "targetTable: server", "targetTable: named", 1)); run.Ledger.Inserted != 1 || run.Ledger.Rejected != run.Ledger.Read-1 {
			t.Errorf("all rows have the same date: %s", run.Ledger)
		}
	})
}

func TestARowThatTheStoreRefusesSpoilsOnlyItselfAmongManyBlocks(t *testing.T) {
	content, keys := many(7000, "server")
	content = strings.Replace(content, ",server 4500 ", ",ser\x00ver ", 1)
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		run := f.load(content, serverMap)
		if run.Ledger.Rejected != 1 || run.Ledger.Inserted != keys-1 || !run.Ledger.Balances() || f.servers() != keys-1 {
			t.Errorf("%s, %d servers", run.Ledger, f.servers())
		}
	})
}

func TestTwoImportsOfTheSameKeysAtOnceMakeEachRecordOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		var keys int64
		var both sync.WaitGroup
		for i := range 2 {
			var content string
			content, keys = many(7000, fmt.Sprintf("server%d", i))
			both.Go(func() {
				src := text(fmt.Sprintf("servers%d.csv", i), content)
				run, err := f.Import(t.Context(), importset.Request{Source: src, Maps: maps(t, serverMap), Actor: record.System})
				if err != nil || !run.Ledger.Balances() {
					t.Errorf("import %d: %v %v", i, run, err)
				}
			})
		}
		both.Wait()
		seen := map[string]bool{}
		for row, err := range f.db.As(record.System).Select(t.Context(), &record.Query{Table: f.db.Catalog().Table("server"), Fields: []string{"serial"}}) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[row[0].Text] {
				t.Errorf("%s is there twice", row[0].Text)
			}
			seen[row[0].Text] = true
		}
		if int64(len(seen)) != keys {
			t.Errorf("%d servers, want %d", len(seen), keys)
		}
	})
}

// An import that breaks off has every row up to some block, and none behind it.
func TestWhatIsCutOffHasABeginningAndNoHoles(t *testing.T) {
	content, keys := many(7000, "server")
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		broken := errors.New("the line is dead")
		src := importset.Source{Name: "servers.csv", Size: -1, Format: csv.Format{}, Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(content[:len(content)*2/3]), failing{broken})), nil
		}}
		run, err := f.Import(t.Context(), importset.Request{Source: src, Maps: maps(t, serverMap), Actor: record.System})
		if err == nil || run == nil || run.State != importset.Halted {
			t.Fatalf("%v %v", run, err)
		}
		next := int64(0)
		for row, err := range f.Rows(t.Context(), run.Number) {
			if err != nil {
				t.Fatal(err)
			}
			if row.Row != next {
				t.Fatalf("row %d follows row %d", row.Row, next-1)
			}
			next++
		}
		if next != run.Ledger.Read || f.servers() != run.Ledger.Inserted {
			t.Errorf("%d rows are kept, %d servers, ledger %s", next, f.servers(), run.Ledger)
		}
		src.Open = text("", content).Open
		run, err = f.Import(t.Context(), importset.Request{Source: src, Maps: maps(t, serverMap), Actor: record.System})
		if err != nil {
			t.Fatal(err)
		}
		if want := (importset.Ledger{Read: 7000, Inserted: keys, Skipped: 7000 - keys}); run.Ledger != want {
			t.Errorf("%s, want %s", run.Ledger, want)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	return 0, fault.Wrap(fault.Unavailable, f.err, "the source broke off")
}

func TestACancelledImportStopsBetweenBlocks(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		content, _ := many(9000, "server")
		var once sync.Once
		run, err := f.Import(t.Context(), importset.Request{Source: text("servers.csv", content), Maps: maps(t, serverMap), Actor: record.System,
			Progress: func(r *importset.Run) {
				once.Do(func() {
					if _, err := f.Cancel(t.Context(), r.Number); err != nil {
						t.Error(err)
					}
				})
			}})
		if fault.KindOf(err) != fault.Canceled || run.State != importset.Cancelled {
			t.Fatalf("%v %v", run, err)
		}
		if n, err := f.db.As(record.System).Count(t.Context(), f.db.Catalog().Table("server"), query.Node(nil)); err != nil || n != run.Ledger.Inserted || n == 0 {
			t.Errorf("%d servers, %s, %v", n, run.Ledger, err)
		}
	})
}
