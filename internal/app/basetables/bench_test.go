package basetables_test

import (
	"testing"

	"headrace/internal/store/storetest/stores"
)

// BenchmarkInstall measures the first time, on SQLite; the target is 300 ms.
func BenchmarkInstall(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		db := open(b, stores.SQLite(b))
		b.StartTimer()
		install(b, db)
	}
}

// BenchmarkInstalled measures every time after.
func BenchmarkInstalled(b *testing.B) {
	db := open(b, stores.SQLite(b))
	install(b, db)
	for b.Loop() {
		install(b, db)
	}
}

// BenchmarkCreate is one new record, durable: numbered, and in a table of the same width without numbers.
func BenchmarkCreate(b *testing.B) {
	db := open(b, stores.SQLite(b))
	install(b, db)
	for _, name := range []string{"incident", "cmdb_ci_server"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				insert(b, db, name, "short_description", "x")
			}
		})
	}
}
