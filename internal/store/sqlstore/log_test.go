package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
)

// Durable writes never wait for the log to be written back, and yet it is: what they wrote arrives in the database file
// while they go on, and the log does not grow past its bound.
func TestTheLogIsWrittenBackBesideWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	cat, err := record.NewCatalog(record.Table{Name: "note", Fields: []record.Field{{Name: "text", Type: record.String}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reshape(t.Context(), cat, false); err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 100
	long := strings.Repeat("headrace ", 7000) // 63 kB: 25 MB in all
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				err := s.Write(t.Context(), record.Durable, func(tx record.Tx) error {
					return tx.Insert(context.Background(), cat.Table("note"), &record.Rows{Fields: []string{record.SysID, "text"},
						Values: []record.Value{record.Text(record.NewID()), record.Text(fmt.Sprint(w, i, long))}})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	size := func(name string) int64 {
		at, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return at.Size()
	}
	for until := time.Now().Add(time.Minute); size(path) < 16<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the database has %d bytes, its log %d", size(path), size(path+"-wal"))
		}
	}
	if n := size(path + "-wal"); n > 80<<20 {
		t.Errorf("the log has %d bytes", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
