package attachment_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/attachment"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func open(t *testing.T, cfg sqlstore.Config) *record.DB {
	t.Helper()
	text := func(name string) record.Field { return record.Field{Name: name, Type: record.String} }
	whole := func(name string) record.Field { return record.Field{Name: name, Type: record.Integer} }
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: []record.Table{
		{Name: attachment.Table, Fields: []record.Field{text("file_name"), text("table_name"), text("table_sys_id"), text("content_type"), whole("size_bytes"),
			whole("size_compressed"), text("compressed"), whole("chunk_size_bytes"), text("hash"), text("state"), text("encryption_context")}},
		{Name: attachment.DocTable, Fields: []record.Field{{Name: attachment.Table, Type: record.Reference, Reference: attachment.Table}, whole("position"), whole("length"), text("data")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, db *record.DB, table string) int64 {
	t.Helper()
	n, err := db.As(record.System).Count(t.Context(), db.Catalog().Table(table), nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// within reads and writes in a transaction that is open.
type within struct{ w *record.Writer }

func (i within) Read(fn func(record.Tx) error) error { return fn(i.w.Tx()) }

func (i within) Write(fn func(*record.Writer) error) error { return fn(i.w) }

func TestAFileIsReadAsItWasWrittenWhateverTheTransaction(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		db := open(t, cfg)
		files, s := attachment.New(db), db.As(record.System)
		body := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // two pieces
		read := func(in attachment.Transactions, f *record.Record, from, to int64) []byte {
			var b bytes.Buffer
			if err := files.Send(t.Context(), in, &b, f, from, to); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		apart := attachment.Apart(t.Context(), db, s)
		f, err := files.Put(t.Context(), apart, attachment.File{Table: "t", ID: "1", Name: "a"}, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(apart, f, 0, int64(len(body))); !bytes.Equal(got, body) {
			t.Errorf("%d bytes come back of %d", len(got), len(body))
		}
		if got := string(read(apart, f, 1<<20-2, 1<<20+2)); got != "ef01" {
			t.Errorf("over the edge of a piece: %q", got)
		}
		undone := errors.New("undone")
		err = s.Write(t.Context(), func(w *record.Writer) error {
			f, err := files.Put(t.Context(), within{w}, attachment.File{Table: "t", ID: "1", Name: "b"}, strings.NewReader("small"))
			if err != nil {
				return err
			}
			if got := string(read(within{w}, f, 0, 5)); got != "small" {
				t.Errorf("inside its transaction: %q", got)
			}
			return undone
		})
		if !errors.Is(err, undone) || count(t, db, attachment.Table) != 1 {
			t.Errorf("%v; %d files are left of a transaction that was undone", err, count(t, db, attachment.Table))
		}
	})
}

func TestAFileThatBreaksOffLeavesNothing(t *testing.T) {
	db := open(t, stores.SQLite(t))
	files := attachment.New(db)
	files.Most = 1 << 20
	apart := attachment.Apart(t.Context(), db, db.As(record.System))
	broken := errors.New("the line is cut")
	for _, c := range []struct {
		name string
		body io.Reader
		ok   func(error) bool
	}{
		{"too large", bytes.NewReader(make([]byte, 1<<20+1)), func(err error) bool { return fault.KindOf(err) == fault.Limit }},
		{"cut off", io.MultiReader(bytes.NewReader(make([]byte, 1<<19)), failing{broken}), func(err error) bool { return errors.Is(err, broken) }},
	} {
		if _, err := files.Put(t.Context(), apart, attachment.File{Table: "t", ID: "1", Name: c.name}, c.body); !c.ok(err) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := count(t, db, attachment.Table) + count(t, db, attachment.DocTable); n != 0 {
			t.Errorf("%s: %d records are left", c.name, n)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
