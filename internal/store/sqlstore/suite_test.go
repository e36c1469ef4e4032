package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest"
	"headrace/internal/store/storetest/pgtest"
)

var postgres *pgtest.Server

func TestMain(m *testing.M) {
	var err error
	if postgres, err = pgtest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func open(t testing.TB, cfg sqlstore.Config) *sqlstore.Store {
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

func sqliteConfig(t testing.TB) sqlstore.Config {
	return sqlstore.Config{Path: filepath.Join(t.TempDir(), "records.db")}
}

var schemas atomic.Int64

// postgresConfig names a new schema, which goes when the test ends.
func postgresConfig(t testing.TB) sqlstore.Config {
	schema := fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), postgres.URL)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
	return sqlstore.Config{URL: postgres.URL, Schema: schema}
}

// stores are the two databases that every test here runs on.
var stores = map[string]func(testing.TB) sqlstore.Config{"sqlite": sqliteConfig, "postgres": postgresConfig}

func onBoth(t *testing.T, fn func(t *testing.T, cfg sqlstore.Config)) {
	for name, config := range stores {
		t.Run(name, func(t *testing.T) { fn(t, config(t)) })
	}
}

func TestStoreLaws(t *testing.T) {
	for name, config := range stores {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t testing.TB) record.Store { return open(t, config(t)) })
		})
	}
}
