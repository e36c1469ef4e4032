package export_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/connect/format/xml"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
	"headrace/internal/connect/source/httpfile"
	"headrace/internal/connect/source/s3"
	"headrace/internal/connect/source/sftp"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) {
	if os.Getenv(dyingVariable) != "" {
		die()
		return
	}
	stores.Main(m)
}

// clock is a clock that only moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a service over a store with some servers and people in it, and a folder that files go to.
type world struct {
	*export.Service
	db      *record.DB
	access  *access.Service
	sources *datasource.Service
	clock   *clock
	out     string
	made    string                          // the set
	places  func(source.Files) source.Files // what stands before the place of files; nil is nothing
}

type sealer struct{ *vault.Vault }

func (s sealer) Seal(_ *record.Table, _ *record.Field, text string) (string, error) {
	return s.Vault.Seal(text)
}

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func formats() []format.Format {
	return []format.Format{xlsx.Format{}, xml.Format{}, json.Format{}, csv.Format{}}
}

// open makes a world over a store. Two worlds of one store and one folder are two processes.
func open(t testing.TB, cfg sqlstore.Config, folder string) *world {
	t.Helper()
	return openWith(t, cfg, folder, formats())
}

func openWith(t testing.TB, cfg sqlstore.Config, folder string, known []format.Format) *world {
	t.Helper()
	w, err := build(t.Context(), stores.Open(t, cfg), folder, known)
	check(t, err)
	return w
}

func build(ctx context.Context, store *sqlstore.Store, folder string, known []format.Format) (*world, error) {
	w := &world{clock: &clock{at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}, out: filepath.Join(folder, "out"), access: access.New(nil)}
	secrets, err := vault.FromText(testKey)
	if err != nil {
		return nil, err
	}
	w.access.LogTo(slog.New(slog.DiscardHandler))
	w.db, err = record.Open(ctx, store, record.Config{Hooks: []record.Hook{w.access}, Guard: w.access, Sealer: sealer{secrets}, Clock: w.clock.now,
		Tables: slices.Concat(importset.Tables(), access.Tables(), outbound.Tables(), datasource.Tables(), export.Tables(), serverTables())})
	if err != nil {
		return nil, err
	}
	w.access.Use(w.db)
	if err := access.Seed(ctx, w.db); err != nil {
		return nil, err
	}
	jobs, err := queue.New(ctx, store, queue.Config{})
	if err != nil {
		return nil, err
	}
	calls := outbound.New(outbound.Config{DB: w.db, Vault: secrets, Queue: jobs, Clock: w.clock.now, Dice: func() float64 { return 0.5 }})
	w.sources = datasource.New(datasource.Config{DB: w.db, Kinds: []source.Kind{file.Kind(), httpfile.Kind(), sftp.Kind(), s3.Kind()}, Formats: formats(),
		Reveal: secrets.Open, Grant: calls.Grant, Clock: w.clock.now})
	w.Service = export.New(export.Config{DB: w.db, Access: w.access, Outbound: calls, Formats: known, Spool: filepath.Join(folder, "spool"), Clock: w.clock.now,
		Open: w.open})
	return w, nil
}

// open finds places as the product does.
func (w *world) open(ctx context.Context, p export.Place) (source.Files, error) {
	files, err := w.sources.Place(ctx, datasource.Place(p))
	if err == nil && w.places != nil {
		files = w.places(files)
	}
	return files, err
}

func serverTables() []record.Table {
	text := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	link := func(name, label, table string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.Reference, Reference: table}
	}
	return []record.Table{
		{Name: "u_site", Label: "Site", Fields: []record.Field{{Name: "name", Label: "Name", Type: record.String, Display: true}, text("country", "Country")}},
		{Name: "u_server", Label: "Server", Fields: []record.Field{{Name: "name", Label: "Name", Type: record.String, Display: true}, link("site", "Site", "u_site"),
			{Name: "state", Label: "State", Type: record.Choice, Choices: []record.Option{{Value: "1", Label: "Up"}, {Value: "2", Label: "Down"}}},
			{Name: "cores", Label: "Cores", Type: record.Integer}, {Name: "price", Label: "Price", Type: record.Decimal}, {Name: "virtual", Label: "Virtual", Type: record.Boolean},
			{Name: "bought", Label: "Bought", Type: record.DateTime}, {Name: "sites", Label: "Sites", Type: record.List, Reference: "u_site"},
			text("note", "Note"), {Name: "token", Label: "Token", Type: record.Secret}}}}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
}

// add makes a record from pairs of field and value, and gives its id.
func (w *world) add(t testing.TB, table string, pairs ...string) string {
	t.Helper()
	tab, err := w.db.Table(table)
	check(t, err)
	r, err := w.db.As(record.System).Insert(t.Context(), tab, assign(pairs))
	check(t, err)
	return r.ID()
}

func assign(pairs []string) (out []record.Assignment) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	return out
}

// change changes a record.
func (w *world) change(t testing.TB, table, id string, pairs ...string) {
	t.Helper()
	tab, err := w.db.Table(table)
	check(t, err)
	_, _, err = w.db.As(record.System).Update(t.Context(), tab, id, assign(pairs))
	check(t, err)
}

// set makes the export set "servers" that goes to the folder, in the place of one that there may be.
func (w *world) set(t testing.TB, pairs ...string) string {
	t.Helper()
	tab, err := w.db.Table(export.SetTable)
	check(t, err)
	if w.made != "" {
		check(t, w.db.As(record.System).Delete(t.Context(), tab, w.made))
	}
	all := map[string]string{"name": "servers", "table_name": "u_server", "connection_url": w.out, "fields": "name,cores", "order_by": "name"}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	var out []string
	for name, v := range all {
		out = append(out, name, v)
	}
	w.made = w.add(t, export.SetTable, out...)
	return w.made
}

// fill adds n servers.
func (w *world) fill(t testing.TB, n int) {
	t.Helper()
	tab, err := w.db.Table("u_server")
	check(t, err)
	check(t, w.db.As(record.System).Write(t.Context(), func(wr *record.Writer) error {
		rows := &record.Rows{Fields: tab.Names()}
		for i := range n {
			r := record.NewRecord(tab)
			for f, v := range map[string]string{record.SysID: record.NewID(), "name": "srv-" + strconv.Itoa(1_000_000+i), "cores": strconv.Itoa(i), "note": "rack, row; \"" + strconv.Itoa(i),
				record.SysUpdatedOn: w.clock.now().Format(record.DateTimeLayout), record.SysModCount: "0"} {
				r.Set(f, record.Text(v))
			}
			rows.Values = append(rows.Values, r.Values...)
		}
		return wr.Tx().Insert(t.Context(), tab, rows)
	}))
}

// run runs the set and wants it delivered.
func (w *world) run(t testing.TB) *export.Run {
	t.Helper()
	r, err := w.Run(t.Context(), "servers", record.System)
	check(t, err)
	if r.State != export.Done {
		t.Fatalf("the run is %s: %s", r.State, r.Error)
	}
	return r
}

// read gives the bytes of a file that was delivered.
func (w *world) read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.out, name))
	check(t, err)
	return string(b)
}

// delivered lists what is in the folder, dot files too.
func (w *world) delivered(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(w.out)
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// shown gives a run as it is kept.
func (w *world) shown(t testing.TB, id string) *export.Run {
	t.Helper()
	r, err := w.Show(t.Context(), id)
	check(t, err)
	return r
}

// only gives the one run there is.
func (w *world) only(t testing.TB) *export.Run {
	t.Helper()
	all, err := w.List(t.Context(), nil, 0)
	check(t, err)
	if len(all) != 1 {
		t.Fatalf("%d runs: %+v", len(all), all)
	}
	return w.shown(t, all[0].ID)
}

func field(name, value string) query.Node {
	return &query.Term{Field: name, Op: query.Equal, Values: []string{value}}
}
