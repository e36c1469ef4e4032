package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func catalog(t testing.TB) *record.Catalog {
	t.Helper()
	cat, err := record.NewCatalog(record.Table{Name: "thing", Fields: []record.Field{{Name: "name", Type: record.String}}})
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// insertOne writes one record, which is enough to meet what is in the way.
func insertOne(s *sqlstore.Store, cat *record.Catalog, id, name string) error {
	return s.Write(context.Background(), record.Durable, func(tx record.Tx) error {
		return tx.Insert(context.Background(), cat.Table("thing"), &record.Rows{Fields: []string{"sys_id", "name"},
			Values: []record.Value{record.Text(id), record.Text(name)}})
	})
}

func wantFault(t *testing.T, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Errorf("got %v (%s), want %s", err, fault.KindOf(err), kind)
		return
	}
	if fault.HintOf(err) == "" {
		t.Errorf("%v comes without a hint", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not tell %q", err, w)
		}
	}
}

func TestAFileThatCannotServeIsAClearFault(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("these are notes, not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct {
		kind fault.Kind
		word string
	}{
		filepath.Join(dir, "missing", "a.db"): {fault.Unavailable, "missing"},
		filepath.Join(text, "a.db"):           {fault.Unavailable, "notes.txt"},
		text:                                  {fault.Invalid, "not a database"},
	} {
		_, err := sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
		wantFault(t, err, c.kind, c.word)
	}
	if _, err := sqlstore.Open(context.Background(), sqlstore.Config{Path: dir}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a directory: %v", err)
	}
	if _, err := sqlstore.Open(context.Background(), sqlstore.Config{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nothing: %v", err)
	}
}

func TestAStrangePathIsAFileLikeAnyOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?mode=ro#%41&.db")
	s := stores.Open(t, sqlstore.Config{Path: path})
	if _, err := s.Reshape(context.Background(), catalog(t), false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestALockOfAnotherProcessIsToldWithItsTime(t *testing.T) {
	cfg := stores.SQLite(t)
	holder := stores.Open(t, cfg)
	cat := catalog(t)
	if _, err := holder.Reshape(context.Background(), cat, false); err != nil {
		t.Fatal(err)
	}
	cfg.Busy = 20 * time.Millisecond
	other := stores.Open(t, cfg)
	err := holder.Write(context.Background(), record.Durable, func(tx record.Tx) error {
		wantFault(t, insertOne(other, cat, "1", "x"), fault.Unavailable, "locked", "20ms")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := insertOne(other, cat, "1", "x"); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}

func TestAFullDiskKeepsNothingAndSaysSo(t *testing.T) {
	s := stores.Open(t, stores.SQLite(t))
	cat := catalog(t)
	if _, err := s.Reshape(context.Background(), cat, false); err != nil {
		t.Fatal(err)
	}
	if err := insertOne(s, cat, "1", "before"); err != nil {
		t.Fatal(err)
	}
	// A limit on the pages of the file is to SQLite what a full disk is.
	err := s.Write(context.Background(), record.Durable, func(tx record.Tx) error {
		_, err := tx.(*sqlstore.Tx).SQL().Exec("PRAGMA max_page_count = 20")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, insertOne(s, cat, "2", strings.Repeat("x", 1<<20)), fault.Unavailable, "full")
	if err := insertOne(s, cat, "3", "after"); err != nil {
		t.Errorf("a small record after a large one: %v", err)
	}
}

func TestADoneContextInterruptsAStatement(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := stores.Open(t, cfg)
		table := planTable(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		rows := 0
		err := s.Read(ctx, func(tx record.Tx) error {
			for _, err := range tx.Select(ctx, &record.Query{Table: table, Fields: []string{"name"}}) {
				if err != nil {
					return err
				}
				rows++
				cancel()
			}
			return nil
		})
		if fault.KindOf(err) != fault.Canceled || rows == 20_000 {
			t.Errorf("after %d rows: %v", rows, err)
		}
		if err := s.Read(context.Background(), func(record.Tx) error { return nil }); err != nil {
			t.Errorf("the store is spoiled: %v", err)
		}
	})
}

func TestPostgresThatCannotBeReachedIsAClearFault(t *testing.T) {
	for url, word := range map[string]string{
		"postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=2": "cannot be reached",
		strings.Replace(stores.Postgres(t).URL, "/postgres?", "/nowhere?", 1):  "does not exist",
	} {
		_, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: url})
		wantFault(t, err, fault.Unavailable, word)
	}
	_, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: "postgres://a:b:c:d"})
	wantFault(t, err, fault.Invalid, "URL")
}

func TestAConnectionLostHalfWayIsToldAndKeepsNothing(t *testing.T) {
	s := stores.Open(t, stores.Postgres(t))
	cat := catalog(t)
	ctx := context.Background()
	if _, err := s.Reshape(ctx, cat, false); err != nil {
		t.Fatal(err)
	}
	insert := func(tx record.Tx, id string) error {
		return tx.Insert(ctx, cat.Table("thing"), &record.Rows{Fields: []string{"sys_id"}, Values: []record.Value{record.Text(id)}})
	}
	err := s.Write(ctx, record.Durable, func(tx record.Tx) error {
		if err := insert(tx, "1"); err != nil {
			return err
		}
		pid := tx.(*sqlstore.Tx).PGX().Conn().PgConn().PID()
		if err := s.Read(ctx, func(other record.Tx) error {
			_, err := other.(*sqlstore.Tx).PGX().Exec(ctx, "SELECT pg_terminate_backend($1)", int(pid))
			return err
		}); err != nil {
			return err
		}
		return errors.Join(insert(tx, "2"), insert(tx, "3"))
	})
	wantFault(t, err, fault.Unavailable)
	if err := insertOne(s, cat, "1", "x"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestManyProcessesOpenANewSchemaAtOnce(t *testing.T) {
	cfg := stores.Postgres(t)
	cat := catalog(t)
	const processes = 4
	done := make(chan error, processes)
	for range processes {
		go func() {
			s, err := sqlstore.Open(context.Background(), cfg)
			if err == nil {
				_, err = s.Reshape(context.Background(), cat, false)
				err = errors.Join(err, s.Close())
			}
			done <- err
		}()
	}
	for range processes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
