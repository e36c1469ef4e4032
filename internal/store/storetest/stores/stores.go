// Package stores gives tests new, empty stores of each kind. The PostgreSQL server starts when the first test asks for
// it, and stops in Main; each store on it has a schema of its own, which goes when its test ends.
//
//	func TestMain(m *testing.M) { stores.Main(m) }
//
//	func TestSomethingHolds(t *testing.T) {
//		stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
//			db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: mypackage.Tables()})
//			...
//		})
//	}
//
// A test opens one Config several times to be several processes on one store, or the same store after a restart. Tests
// for which the kind does not matter take SQLite(t), which needs no server and no Main.
package stores

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/pgtest"
)

// server is the PostgreSQL server of this test binary, once a test has asked for it.
type server struct {
	sync.Mutex
	running *pgtest.Server
	schemas atomic.Int64
}

var postgres server

func (s *server) start(t testing.TB) *pgtest.Server {
	t.Helper()
	s.Lock()
	defer s.Unlock()
	if s.running == nil {
		started, err := pgtest.Start()
		if err != nil {
			t.Fatal(err)
		}
		s.running = started
	}
	return s.running
}

func (s *server) stop() error {
	s.Lock()
	defer s.Unlock()
	if s.running == nil {
		return nil
	}
	return s.running.Stop()
}

// Main runs the tests of a package and then stops the PostgreSQL server, if they have asked for one. It ends the process.
func Main(m *testing.M) {
	code := m.Run()
	if err := postgres.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Kinds lists the kinds of store by name. Each function names a store that is not there yet.
func Kinds() map[string]func(testing.TB) sqlstore.Config {
	return map[string]func(testing.TB) sqlstore.Config{"sqlite": SQLite, "postgres": Postgres}
}

// Each runs a test on a new store of each kind.
func Each(t *testing.T, test func(t *testing.T, cfg sqlstore.Config)) {
	for name, config := range Kinds() {
		t.Run(name, func(t *testing.T) { test(t, config(t)) })
	}
}

// SQLite names a new file, which goes when the test ends.
func SQLite(t testing.TB) sqlstore.Config {
	return sqlstore.Config{Path: filepath.Join(t.TempDir(), "records.db")}
}

// Postgres names a new schema, which goes when the test ends.
func Postgres(t testing.TB) sqlstore.Config {
	t.Helper()
	running := postgres.start(t)
	schema := fmt.Sprintf("test_%d_%d", os.Getpid(), postgres.schemas.Add(1))
	t.Cleanup(func() {
		if err := running.DropSchema(context.Background(), schema); err != nil {
			t.Error(err)
		}
	})
	return sqlstore.Config{URL: running.URL, Schema: schema}
}

// Open opens a store until the test ends.
func Open(t testing.TB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
