package sqlstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// The rows of the benchmarks: twelve columns of text as an asset list has them, about 240 bytes, beside the system
// fields, keys in random order.
var assetFields = []string{"asset_tag", "serial", "name", "model", "maker", "email", "place", "bought", "cost", "status", "ip", "about"}

const batch = 20_000

func assetTable(b *testing.B, s *sqlstore.Store, indexed bool) *record.Table {
	t := record.Table{Name: "asset"}
	for _, f := range assetFields {
		t.Fields = append(t.Fields, record.Field{Name: f, Type: record.String})
	}
	if indexed {
		t.Indexes = []record.Index{{Fields: []string{"serial"}}}
	}
	cat, err := record.NewCatalog(t)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Reshape(context.Background(), cat, false); err != nil {
		b.Fatal(err)
	}
	return cat.Table("asset")
}

func serial(i int) string { return fmt.Sprintf("SN-%08X", uint32(i)*2654435761) }

// assets is a block of rows from number from on.
func assets(from int) *record.Rows {
	rows := &record.Rows{Fields: append([]string{record.SysID}, assetFields...), Shared: []record.Assignment{
		{Field: record.SysCreatedOn, Value: record.Text("2026-11-02 10:00:00")}, {Field: record.SysCreatedBy, Value: record.Text("importer")},
		{Field: record.SysUpdatedOn, Value: record.Text("2026-11-02 10:00:00")}, {Field: record.SysUpdatedBy, Value: record.Text("importer")},
		{Field: record.SysModCount, Value: record.Text("0")}}}
	for i := from; i < from+batch; i++ {
		for _, v := range []string{fmt.Sprintf("%032x", i), fmt.Sprintf("P%07d", i), serial(i), fmt.Sprintf("srv-%d.example.com", i), "PowerEdge R740",
			"Dell Inc.", fmt.Sprintf("owner%d@example.com", i%5000), "Rack 12, Room B-204, Zürich", "2021-04-17", "12345.67", "In use",
			fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), `A server with "quotes", commas, and a longer description of its purpose – data`} {
			rows.Values = append(rows.Values, record.Text(v))
		}
	}
	return rows
}

func write(b *testing.B, s *sqlstore.Store, fn func(record.Tx) error) {
	b.Helper()
	if err := s.Write(context.Background(), record.Resumable, fn); err != nil {
		b.Fatal(err)
	}
}

// perRow reports rows by the clock and, for machines with other work, by this process's processor time, which for
// SQLite is all there is.
func perRow(b *testing.B, rows int, from time.Duration) {
	total := float64(rows) * float64(b.N)
	b.ReportMetric(total/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(total/(processor(b)-from).Seconds(), "rows/cpu-s")
}

func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInsert adds batches of 20,000 rows, each its own transaction. With -benchtime 50x it is a million rows.
func BenchmarkInsert(b *testing.B) {
	for _, indexed := range []bool{false, true} {
		for name, config := range stores.Kinds() {
			b.Run(fmt.Sprintf("%s/key_index=%v", name, indexed), func(b *testing.B) {
				s := stores.Open(b, config(b))
				t := assetTable(b, s, indexed)
				b.ReportAllocs()
				b.ResetTimer()
				cpu := processor(b)
				for i := range b.N {
					b.StopTimer()
					before := processor(b)
					rows := assets(i * batch)
					cpu += processor(b) - before
					b.StartTimer()
					write(b, s, func(tx record.Tx) error { return tx.Insert(b.Context(), t, rows) })
				}
				perRow(b, batch, cpu)
			})
		}
	}
}

const loaded = 10 // batches in the table that is searched and updated

func load(b *testing.B, s *sqlstore.Store) *record.Table {
	t := assetTable(b, s, true)
	for i := range loaded {
		rows := assets(i * batch)
		write(b, s, func(tx record.Tx) error { return tx.Insert(b.Context(), t, rows) })
	}
	return t
}

// BenchmarkKeys looks 20,000 keys up in 200,000 records and reads all their columns.
func BenchmarkKeys(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := stores.Open(b, config(b))
			t := load(b, s)
			order := rand.New(rand.NewPCG(1, 2)).Perm(loaded * batch)
			keys := &record.Keys{Fields: []string{"serial"}, Fold: []bool{true}}
			for _, i := range order[:batch] {
				keys.Tuples = append(keys.Tuples, record.Text(fmt.Sprintf("sn-%08x", uint32(i)*2654435761)))
			}
			q := &record.Query{Table: t, Fields: append([]string{record.SysID, record.SysModCount}, assetFields...), Keys: keys}
			b.ReportAllocs()
			b.ResetTimer()
			cpu := processor(b)
			for range b.N {
				found := 0
				err := s.Read(b.Context(), func(tx record.Tx) error {
					for _, err := range tx.Select(b.Context(), q) {
						if err != nil {
							return err
						}
						found++
					}
					return nil
				})
				if err != nil || found != batch {
					b.Fatal(found, err)
				}
			}
			perRow(b, batch, cpu)
		})
	}
}

// BenchmarkUpdate changes two fields of 20,000 of 200,000 records.
func BenchmarkUpdate(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := stores.Open(b, config(b))
			t := load(b, s)
			order := rand.New(rand.NewPCG(1, 2)).Perm(loaded * batch)
			b.ResetTimer()
			cpu := processor(b)
			for n := range b.N {
				rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount, "status", "place"},
					Shared: []record.Assignment{{Field: record.SysUpdatedOn, Value: record.Text("2026-11-03 10:00:00")}}}
				for _, i := range order[:batch] {
					rows.Values = append(rows.Values, record.Text(fmt.Sprintf("%032x", i)), record.Text(fmt.Sprint(n)), record.Text("Retired"), record.Text("Store"))
				}
				write(b, s, func(tx record.Tx) error {
					stale, err := tx.Update(b.Context(), t, rows)
					if len(stale) > 0 {
						b.Fatalf("%d stale", len(stale))
					}
					return err
				})
			}
			perRow(b, batch, cpu)
		})
	}
}

// BenchmarkGet reads one record by its id, a transaction each.
func BenchmarkGet(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := stores.Open(b, config(b))
			t := load(b, s)
			q := &record.Query{Table: t, Fields: append([]string{record.SysID}, assetFields...)}
			b.ReportAllocs()
			b.ResetTimer()
			cpu := processor(b)
			for i := range b.N {
				q.Keys = &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: []record.Value{record.Text(fmt.Sprintf("%032x", i%(loaded*batch)))}}
				err := s.Read(b.Context(), func(tx record.Tx) error {
					for _, err := range tx.Select(b.Context(), q) {
						return err
					}
					return fmt.Errorf("not found")
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			perRow(b, 1, cpu)
		})
	}
}

// BenchmarkScan reads 200,000 records.
func BenchmarkScan(b *testing.B) {
	for name, config := range stores.Kinds() {
		b.Run(name, func(b *testing.B) {
			s := stores.Open(b, config(b))
			t := load(b, s)
			q := &record.Query{Table: t, Fields: append([]string{record.SysID}, assetFields...)}
			b.ResetTimer()
			cpu := processor(b)
			for range b.N {
				n := 0
				err := s.Read(b.Context(), func(tx record.Tx) error {
					for _, err := range tx.Select(b.Context(), q) {
						if err != nil {
							return err
						}
						n++
					}
					return nil
				})
				if err != nil || n != loaded*batch {
					b.Fatal(n, err)
				}
			}
			perRow(b, loaded*batch, cpu)
		})
	}
}
