package datasource_test

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	formatjson "headrace/internal/connect/format/json"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// shelf is a place of files, and of rows, that breaks when it is told to.
type shelf struct {
	now    time.Time
	files  map[string]*lying
	opened []int64 // from which byte files were opened
	cuts   []int64 // the next readings break after so many bytes
	meddle func()  // is called when the next reading ends

	lines   []string // rows, whose first is the header
	total   int64    // rows it says it has; -1 says nothing
	rowCuts []int    // the next readings break after so many rows
	since   []string // where readings began
	says    []string // what is to be known before it is used
	key     string   // of its host, as it was approved
}

type lying struct {
	text     string
	modified time.Time
}

func (s *shelf) put(name, text string) {
	s.now = s.now.Add(time.Second)
	s.files[name] = &lying{text, s.now}
}

func (s *shelf) names() string {
	var out []string
	for name := range s.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// at is a shelf as one address means it.
type at struct {
	*shelf
	folder, pattern string
}

func (a at) List(context.Context) ([]source.File, error) {
	var out []source.File
	for name, f := range a.files {
		ok, err := path.Match(a.pattern, path.Base(name))
		if err != nil {
			return nil, err
		}
		if ok && path.Dir(name) == a.folder {
			out = append(out, source.File{Path: name, Size: int64(len(f.text)), Modified: f.modified})
		}
	}
	return out, nil
}

func (a at) Open(_ context.Context, f source.File, from int64) (io.ReadCloser, error) {
	lies, there := a.files[f.Path]
	if !there {
		return nil, fault.New(fault.NotFound, "%s is gone", f.Path)
	}
	if !lies.modified.Equal(f.Modified) || from > 0 && f.Modified.IsZero() { // whether it is the same file nobody knows
		return nil, source.Changed(f.Path)
	}
	a.opened = append(a.opened, from)
	rest := lies.text[from:]
	var end error = io.EOF
	if len(a.cuts) > 0 {
		if cut := a.cuts[0]; cut < int64(len(rest)) {
			rest, end = rest[:cut], fault.New(fault.Unavailable, "the connection broke")
		}
		a.cuts = a.cuts[1:]
	}
	return io.NopCloser(&breaking{strings.NewReader(rest), end, a.shelf}), nil
}

type breaking struct {
	r   io.Reader
	end error
	s   *shelf
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		if do := b.s.meddle; do != nil {
			b.s.meddle = nil
			do()
		}
		err = b.end
	}
	return n, err
}

func (a at) Move(_ context.Context, f source.File, to string) error {
	if a.files[to] != nil {
		return fault.New(fault.Conflict, "%s is there already", to)
	}
	a.files[to] = a.files[f.Path]
	delete(a.files, f.Path)
	return nil
}

func (a at) Put(_ context.Context, to string, r io.Reader, _ bool) error {
	text, err := io.ReadAll(r)
	a.put(to, string(text))
	return err
}

func (at) Close() error { return nil }

// Warnings makes a shelf a source.Warner.
func (s *shelf) Warnings() []string { return s.says }

// Read makes a shelf a place of rows. The first column is the mark.
func (s *shelf) Read(_ context.Context, since string) *source.Reading {
	s.since = append(s.since, since)
	cut := -1
	if len(s.rowCuts) > 0 {
		cut, s.rowCuts = s.rowCuts[0], s.rowCuts[1:]
	}
	high := since
	lines := slices.Clone(s.lines)
	rows := func(yield func(*format.Row, error) bool) {
		h := &format.Header{Columns: strings.Split(lines[0], ",")}
		if !yield(&format.Row{Header: h}, nil) {
			return
		}
		n := 0
		for _, line := range lines[1:] {
			cells := strings.Split(line, ",")
			if cells[0] < since {
				continue
			}
			if n == cut {
				yield(nil, fault.New(fault.Unavailable, "the connection broke"))
				return
			}
			n++
			row := &format.Row{Header: h, Line: int64(n)}
			for _, c := range cells {
				row.Cells = append(row.Cells, record.Value{Text: c, Valid: c != ""})
			}
			high = max(high, cells[0])
			if !yield(row, nil) {
				return
			}
		}
	}
	return &source.Reading{Rows: rows, High: func() string { return high }, Total: func() int64 { return s.total }}
}

func (*shelf) Test(context.Context) error { return nil }
func (*shelf) Close() error               { return nil }

// kinds are those of sources over the shelf: files, rows of a database, and rows of a service.
func (s *shelf) kinds() []source.Kind {
	watermark := []record.Field{{Name: "watermark", Type: record.String}, {Name: "host_key", Type: record.String}, {Name: "overlap", Type: record.String}}
	info := func(name string, spool bool) source.Info {
		return source.Info{Name: name, Label: strings.ToUpper(name[:1]) + name[1:], Schemes: []string{name}, Options: watermark, Spool: spool}
	}
	rows := func(source.Address) (source.Rows, error) { return s, nil }
	return []source.Kind{
		{Info: info("shelf", false), Files: func(a source.Address) (source.Files, error) {
			folder, pattern := path.Split(a.URL.Path)
			s.key = a.Options["host_key"]
			return at{s, path.Clean(folder), pattern}, nil
		}},
		{Info: info("stream", false), Rows: rows}, {Info: info("listing", true), Rows: rows}}
}

// nights is a store with data sources over a shelf.
type nights struct {
	*shelf
	t     *testing.T
	db    *record.DB
	s     *datasource.Service
	spool string
	busy  func() // is called when a box is about to be deleted
	waits func() // is called when time is to pass
}

// Sees makes nights a record.Hook.
func (n *nights) Sees(t *record.Table) bool { return t.Name == "box" && n.busy != nil }

// Before tells of boxes that are deleted.
func (n *nights) Before(_ context.Context, c *record.Change) error {
	if c.New == nil && n.busy != nil {
		n.busy()
	}
	return nil
}

// After does nothing.
func (*nights) After(context.Context, *record.Change) error { return nil }

func eachShelf(t *testing.T, test func(t *testing.T, n *nights)) {
	t.Helper()
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) { onShelf(t, cfg, test) })
}

// oneShelf is for laws in which the store has no part.
func oneShelf(t *testing.T, test func(t *testing.T, n *nights)) {
	t.Helper()
	onShelf(t, stores.SQLite(t), test)
}

func onShelf(t *testing.T, cfg sqlstore.Config, test func(t *testing.T, n *nights)) {
	t.Helper()
	n := &nights{t: t, spool: t.TempDir(), shelf: &shelf{now: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), files: map[string]*lying{}, total: -1}}
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: slices.Concat(importset.Tables(), datasource.Tables(), eventTables()), Hooks: []record.Hook{n}})
	if err != nil {
		t.Fatal(err)
	}
	n.db = db
	if _, err := db.Define(t.Context(), record.System, false, record.Table{Name: "box", Fields: []record.Field{
		{Name: "serial", Type: record.String}, {Name: "name", Type: record.String}, {Name: "cost", Type: record.Integer}}, Indexes: []record.Index{{Fields: []string{"serial"}}}}); err != nil {
		t.Fatal(err)
	}
	n.mapping("imp_box", true)
	n.restart()
	test(t, n)
}

func (n *nights) mapping(staging string, keyed bool) {
	m := n.make("sys_transform_map", "name", staging, "source_table", staging, "target_table", "box")
	for _, f := range []string{"serial", "name", "cost"} {
		n.make("sys_transform_entry", "map", m, "source_field", f, "target_field", f, "coalesce", strconv.FormatBool(keyed && f == "serial"))
	}
}

// restart is another process on the same store and spool.
func (n *nights) restart() {
	n.s = datasource.New(datasource.Config{DB: n.db, Imports: importset.New(n.db), Kinds: n.kinds(), Formats: []format.Format{formatjson.Format{}, csv.Format{}},
		Spool: n.spool, Clock: func() time.Time { return n.now }, Wait: func(ctx context.Context, _ time.Duration) error {
			if n.waits != nil {
				n.waits()
			}
			return ctx.Err()
		}})
}

func (n *nights) make(table string, pairs ...string) string {
	n.t.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	r, err := n.db.As(record.System).Insert(n.t.Context(), n.db.Catalog().Table(table), values)
	if err != nil {
		n.t.Fatal(err)
	}
	return r.ID()
}

// feed saves the source over the files of the shelf.
func (n *nights) feed(settings ...string) {
	n.t.Helper()
	n.make("sys_data_source", append([]string{"name", "feed", "connection_url", "shelf://host/in/*.csv", "import_set_table_name", "imp_box"}, settings...)...)
}

func (n *nights) run(name string) (*datasource.Result, error) {
	return n.s.Run(n.t.Context(), datasource.Request{Name: name, Actor: record.System})
}

func (n *nights) must(name, state string) *datasource.Result {
	n.t.Helper()
	r, err := n.run(name)
	if err != nil || r.State != state {
		n.t.Fatalf("%+v, %v; want %s", r, err, state)
	}
	return r
}

// fails runs a source that is to fail in a way.
func (n *nights) fails(name string, kind fault.Kind, words string) *datasource.Result {
	n.t.Helper()
	r, err := n.run(name)
	if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), words) {
		n.t.Fatalf("%v (%v), want %v with %q", err, fault.KindOf(err), kind, words)
	}
	return r
}

// boxes is what the target holds: "A1:one:1 A2:two:2".
func (n *nights) boxes() string {
	n.t.Helper()
	var out []string
	for row, err := range n.db.As(record.System).Select(n.t.Context(), &record.Query{Table: n.db.Catalog().Table("box"), Fields: []string{"serial", "name", "cost"}}) {
		if err != nil {
			n.t.Fatal(err)
		}
		out = append(out, row[0].Text+":"+row[1].Text+":"+row[2].Text)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (n *nights) holds(what, got, want string) {
	n.t.Helper()
	if got != want {
		n.t.Fatalf("%s: %.500q, want %.500q", what, got, want)
	}
}

func (n *nights) get(table, field, where, is string) string {
	n.t.Helper()
	for row, err := range n.db.As(record.System).Select(n.t.Context(), &record.Query{Table: n.db.Catalog().Table(table), Fields: []string{field},
		Where: &query.Term{Field: where, Op: query.Equal, Values: []string{is}}}) {
		if err != nil {
			n.t.Fatal(err)
		}
		return row[0].Text
	}
	return ""
}

// states lists what became of files: "1.csv done, 2.csv failed".
func states(r *datasource.Result) string {
	var out []string
	for _, f := range r.Files {
		out = append(out, path.Base(f.Path)+" "+f.State)
	}
	return strings.Join(out, ", ")
}

func boxes(rows ...string) string { return "serial,name,cost\n" + strings.Join(rows, "\n") + "\n" }

// many is so many rows that they make several blocks: they are wide, for a block ends by its bytes; and more than are held
// back until they are judged.
const many = 1100

// padding widens a row.
var padding = strings.Repeat("wide ", 600)

// large is a feed of many rows.
func large(night string) string { return boxes(rowsOf(0, many, night)...) }

func rowsOf(from, to int, night string) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("S%05d,%s number %d %s,%d", i, night, i, padding, i%7))
	}
	return out
}

// count tells how many boxes there are, and how many of them came in a night.
func (n *nights) count(night string) string {
	n.t.Helper()
	t := n.db.Catalog().Table("box")
	all, err := n.db.As(record.System).Count(n.t.Context(), t, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	some, err := n.db.As(record.System).Count(n.t.Context(), t, &query.Term{Field: "name", Op: query.StartsWith, Values: []string{night + " "}})
	if err != nil {
		n.t.Fatal(err)
	}
	return fmt.Sprintf("%d of %d", some, all)
}
