package datasource_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	formatjson "headrace/internal/connect/format/json"
	"headrace/internal/connect/source/httpfile"
	"headrace/internal/connect/source/rest"
	"headrace/internal/connect/source/s3"
	"headrace/internal/connect/source/sftp"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/s3d"
	"headrace/internal/connect/source/sourcetest/sshd"
	"headrace/internal/connect/source/sourcetest/tds"
	"headrace/internal/connect/source/sqldb"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/core/testserver"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/store/storetest/stores"
)

// thing is a row at a partner's.
type thing struct{ serial, name, cost, changed string }

// origin is a partner: a real server, by way of a line that can be cut. SQLite has no line.
type origin struct {
	kind    string
	proxy   *sourcetest.Proxy
	source  []string // fields of its record
	key     []string // fields of the record of a key, if it wants one
	publish func(t testing.TB, all []thing)
	things  []thing
	night   int
}

// TestWhateverIsCutTheTargetEndsAsIfNothingHadBeen reads from each kind of source, a real server but for that of SQL
// Server, over a line that is cut at a random byte, or is stopped at a random moment. The next process brings the target
// to what the source holds. The mark of a source that has one never moves ahead of the target.
func TestWhateverIsCutTheTargetEndsAsIfNothingHadBeen(t *testing.T) {
	all := origins(t)
	eachShelf(t, func(t *testing.T, n *nights) {
		for _, o := range all {
			t.Run(o.kind, func(t *testing.T) {
				began := time.Now()
				c := &cutting{nights: n, origin: o, t: t, dice: rand.New(rand.NewPCG(seedOf(t), 7))}
				c.begin()
				for range cuts() / 2 { // on each of two stores
					c.once()
				}
				t.Logf("%d cuts, %d of them in the middle of a run, %d on its way, in %v", cuts()/2, c.halted, c.failed, time.Since(began))
			})
		}
	})
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv("HEADRACE_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HEADRACE_SEED=%d", seed)
	return seed
}

// cutting is an origin that is cut, and the store it is read into.
type cutting struct {
	*nights
	*origin
	t      *testing.T
	s      *datasource.Service
	dice   *rand.Rand
	whole  int64         // bytes that an undisturbed run takes
	took   time.Duration // and how long
	failed int
	halted int
}

// begin saves the source and brings it in undisturbed.
func (c *cutting) begin() {
	if c.key != nil {
		c.make(datasource.SSHKeyTable, c.key...)
	}
	c.make(datasource.SourceTable, append([]string{"name", c.kind, "import_set_table_name", "imp_box"}, c.source...)...)
	c.change()
	c.again()
	if c.proxy != nil {
		c.proxy.Cut(-1, false)
	}
	began := time.Now()
	if _, err := c.run(c.t.Context()); err != nil {
		c.t.Fatalf("undisturbed: %v; %s", err, fault.HintOf(err))
	}
	c.took = time.Since(began)
	if c.proxy != nil {
		c.whole = c.proxy.Passed()
	}
	c.holds("undisturbed", c.target(), c.wanted())
}

// once has one night go wrong, and looks at what the next run makes of it.
func (c *cutting) once() {
	c.change()
	before := c.mark(c.kind)
	err := c.disturbed()
	if err != nil {
		c.failed++
		if k := fault.KindOf(err); k != fault.Unavailable && k != fault.Canceled {
			c.t.Fatalf("cut, it says %v: %v", k, err)
		}
		if moved := c.mark(c.kind) != before; moved && c.target() != c.wanted() {
			c.t.Fatalf("the mark went from %q to %q ahead of the rows", before, c.mark(c.kind))
		}
		if c.get("sys_import_set", "number", "state", string(importset.Halted)) != "" {
			c.halted++
		}
	}
	if c.proxy != nil {
		c.proxy.Cut(-1, false)
	}
	c.again()
	result, err := c.run(c.t.Context())
	if err != nil {
		c.t.Fatalf("undisturbed again: %v; %s", err, fault.HintOf(err))
	}
	for _, r := range result.Runs {
		if l := r.Ledger; r.State == importset.Done && l.Read != l.Inserted+l.Updated+l.Unchanged+l.Skipped+l.Rejected {
			c.t.Errorf("run %d does not balance: %s", r.Number, l)
		}
	}
	c.holds("the target", c.target(), c.wanted())
	c.holds("unfinished", c.get("sys_import_set", "number", "state", string(importset.Halted))+c.get("sys_import_set", "number", "state", string(importset.Running)), "")
}

// disturbed is a run over a line that is cut at some byte, for good or once, or one that is stopped at some moment.
func (c *cutting) disturbed() error {
	c.again()
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	cut := c.dice.IntN(5)
	switch at, reset := c.dice.Int64N(max(c.whole, 1)), c.dice.IntN(2) == 0; {
	case c.proxy != nil && cut > 2 && (c.kind != "s3" || cuts() > 10): // its client waits between attempts by the clock
		c.proxy.Cut(at, reset)
	case c.proxy != nil && cut > 0:
		c.proxy.CutOnce(at, reset)
	default:
		defer time.AfterFunc(time.Duration(c.dice.Int64N(int64(c.took))), stop).Stop()
	}
	_, err := c.run(ctx)
	return err
}

// again is another process on the same store and spool.
func (c *cutting) again() {
	formats := []format.Format{formatjson.Format{}, csv.Format{}}
	services := rest.Parts{Formats: formats, Sleep: hurry}
	c.s = datasource.New(datasource.Config{DB: c.db, Imports: importset.New(c.db), Formats: formats, Spool: c.spool, Wait: hurry,
		Kinds:  append(sqldb.Kinds(), httpfile.Kind(), sftp.Kind(), s3.Kind(), services.Kind(), services.Table()),
		Reveal: func(secret string) (string, error) { return secret, nil }})
}

func hurry(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func (c *cutting) run(ctx context.Context) (*datasource.Result, error) {
	return c.s.Run(ctx, datasource.Request{Name: c.kind, Actor: record.System})
}

// change is a night at the partner's: most rows are changed, all but at once, some are new.
func (c *cutting) change() {
	c.night++
	size, pad := 120, "wide"
	if cuts() > 10 { // more than goes in one batch
		size, pad = many, padding
	}
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.night) * time.Minute)
	for i := range max(size, len(c.things)+3) {
		row := thing{fmt.Sprintf("%s-%05d", c.kind, i), fmt.Sprintf("night %d of %d %s", c.night, i, pad), strconv.Itoa(i % 7),
			base.Add(time.Duration(c.dice.IntN(20)) * time.Second).Format(time.DateTime)}
		if i == len(c.things) {
			c.things = append(c.things, row)
		} else if i%3 != c.night%3 {
			c.things[i] = row
		}
	}
	c.publish(c.t, c.things)
}

func (c *cutting) wanted() string {
	var out strings.Builder
	for _, o := range c.things {
		fmt.Fprintf(&out, "%s|%s|%s\n", o.serial, o.name, o.cost)
	}
	return out.String()
}

// target is what came of the source, in its order.
func (c *cutting) target() string {
	var out strings.Builder
	q := &record.Query{Table: c.db.Catalog().Table("box"), Fields: []string{"serial", "name", "cost"}, OrderBy: []query.Order{{Field: "serial"}},
		Where: &query.Term{Field: "serial", Op: query.StartsWith, Values: []string{c.kind + "-"}}}
	for row, err := range c.db.As(record.System).Select(c.t.Context(), q) {
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s|%s|%s\n", row[0].Text, row[1].Text, row[2].Text)
	}
	return out.String()
}

func (c *cutting) holds(what, got, want string) {
	c.t.Helper()
	if got == want {
		return
	}
	have, wish := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(have), len(wish)) {
		if have[i] != wish[i] {
			c.t.Fatalf("%s: line %d is %.60q, want %.60q (%d lines, want %d)", what, i, have[i], wish[i], len(have), len(wish))
		}
	}
	c.t.Fatalf("%s: %d lines, want %d", what, len(have), len(wish))
}

// origins starts a server of each kind.
func origins(t *testing.T) []*origin {
	return []*origin{fromPostgres(t), fromMariaDB(t), fromSQLServer(t), fromSQLite(t), fromHTTP(t), fromSFTP(t), fromS3(t), fromREST(t), fromTable(t)}
}

func fromPostgres(t *testing.T) *origin {
	at := stores.Postgres(t).URL
	cfg, err := pgx.ParseConfig(at)
	if err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	if strings.HasPrefix(cfg.Host, "/") {
		server = fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	p := sourcetest.NewProxy(t, server)
	u := url.URL{Scheme: "postgres", User: url.User(cfg.User), Host: p.Addr, Path: "/" + cfg.Database}
	if cfg.Password != "" {
		u.User = url.UserPassword(cfg.User, cfg.Password)
	}
	return fromDatabase(t, "postgres", "pgx", at, "timestamp", p, u.String())
}

func fromMariaDB(t *testing.T) *origin {
	s, port, err := testserver.MariaDB("CREATE DATABASE src;\nCREATE USER reader@'%' IDENTIFIED BY 'pass';\nGRANT SELECT ON src.* TO reader@'%';\n", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	p := sourcetest.NewProxy(t, "127.0.0.1:"+port)
	return fromDatabase(t, "mysql", "mysql", "root@unix("+s.Dir+"/sock)/src", "datetime", p, "mysql://reader:pass@"+p.Addr+"/src")
}

func fromSQLServer(t *testing.T) *origin {
	d := tds.Start(t, "reader", "pass", "src")
	p := sourcetest.NewProxy(t, d.Addr)
	o := &origin{kind: "sqlserver", proxy: p, publish: written(t, d.DB, "TEXT nvarchar(40)", "TEXT datetime2")}
	o.source = tabled("sqlserver://reader:pass@" + p.Addr + "/src")
	return o
}

func fromSQLite(t *testing.T) *origin {
	path := filepath.Join(t.TempDir(), "partner.db")
	return fromDatabase(t, "sqlite", "sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=OFF", "datetime", nil, "sqlite://"+path)
}

func fromDatabase(t *testing.T, kind, driver, at, stamp string, p *sourcetest.Proxy, address string) *origin {
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &origin{kind: kind, proxy: p, publish: written(t, db, "varchar(40)", stamp), source: tabled(address)}
}

// tabled are the fields of a source that reads a table from its mark on.
func tabled(address string) []string {
	options := `{"table": "feed", "zone": "UTC", "tls": "disable"}`
	if strings.HasPrefix(address, "sqlite") {
		options = `{"table": "feed", "zone": "UTC"}`
	}
	return []string{"connection_url", address, "options", options, "use_last_run_datetime", "true", "last_run_database_field", "changed", "overlap", "40s"}
}

// written writes things into a table, in one transaction.
func written(t *testing.T, db *sql.DB, word, stamp string) func(t testing.TB, all []thing) {
	if _, err := db.Exec("CREATE TABLE feed (serial " + word + " PRIMARY KEY, name text, cost int, changed " + stamp + ")"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = db.Exec("DROP TABLE feed") }) // a server of somebody else's stays as it was
	return func(t testing.TB, all []thing) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		_, err = tx.Exec("DELETE FROM feed")
		for page := range slices.Chunk(all, 200) {
			var values []string
			for _, o := range page {
				values = append(values, fmt.Sprintf("('%s', '%s', %s, '%s')", o.serial, o.name, o.cost, o.changed))
			}
			if err == nil {
				_, err = tx.Exec("INSERT INTO feed VALUES " + strings.Join(values, ", "))
			}
		}
		if err = cmp.Or(err, tx.Commit()); err != nil {
			t.Fatal(err)
		}
	}
}

// lined is the things as a file.
func lined(all []thing) string {
	var rows []string
	for _, o := range all {
		rows = append(rows, o.serial+","+o.name+","+o.cost)
	}
	return boxes(rows...)
}

func fromHTTP(t *testing.T) *origin {
	var mu sync.Mutex
	text, version := "", 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		content, tag := text, fmt.Sprintf(`"%d"`, version)
		mu.Unlock()
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "text/csv")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(srv.Close)
	p := sourcetest.NewProxy(t, srv.Listener.Addr().String())
	return &origin{kind: "http", proxy: p, source: []string{"connection_url", "http://" + p.Addr + "/feed.csv"}, publish: func(_ testing.TB, all []thing) {
		mu.Lock()
		defer mu.Unlock()
		text, version = lined(all), version+1
	}}
}

func fromSFTP(t *testing.T) *origin {
	s := sshd.Start(t)
	p := sourcetest.NewProxy(t, s.Addr)
	night, address := 0, strings.Replace(s.URL("*.csv"), s.Addr, p.Addr, 1)
	return &origin{kind: "sftp", proxy: p, key: []string{"name", "partner", "user_name", s.User, "ssh_private_key", s.Key}, source: []string{"connection_url", address, "pick", "newest", "credential", "partner", "options", `{"host_key": "` + s.Fingerprint + `"}`},
		publish: func(t testing.TB, all []thing) {
			before := filepath.Join(s.Root, fmt.Sprintf("feed-%05d.csv", night))
			night++
			err := os.WriteFile(filepath.Join(s.Root, fmt.Sprintf("feed-%05d.csv", night)), []byte(lined(all)), 0o600)
			if gone := os.Remove(before); err == nil && !errors.Is(gone, os.ErrNotExist) {
				err = gone
			}
			if err != nil {
				t.Fatal(err)
			}
		}}
}

func fromS3(t *testing.T) *origin {
	s := s3d.Start(t)
	p := sourcetest.NewProxy(t, s.Addr)
	address := url.URL{Scheme: "s3", User: url.UserPassword(s3d.User, s3d.Secret), Host: s3d.Bucket, Path: "/in/*.csv"}
	return &origin{kind: "s3", proxy: p, source: []string{"connection_url", address.String(), "options", `{"endpoint": "http://` + p.Addr + `", "path_style": "true", "region": "` + s3d.Region + `"}`},
		publish: func(t testing.TB, all []thing) { s.Put(t, s3d.Bucket, "in/feed.csv", []byte(lined(all))) }}
}

// service is a web service with things, in pages.
type service struct {
	mu     sync.Mutex
	things []thing
}

const page = 50

func (s *service) publish(_ testing.TB, all []thing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things = slices.Clone(all)
}

// answer gives a page of the things that are wanted, and whether there are more.
func (s *service) answer(w http.ResponseWriter, from int, wanted func(thing) bool, show func(rows []map[string]string) any) (more bool) {
	s.mu.Lock()
	all := slices.DeleteFunc(slices.Clone(s.things), func(o thing) bool { return !wanted(o) })
	s.mu.Unlock()
	w.Header().Set("X-Total-Count", strconv.Itoa(len(all)))
	rows := []map[string]string{}
	for _, o := range all[min(from, len(all)):min(from+page, len(all))] {
		rows = append(rows, map[string]string{"sys_id": o.serial, "serial": o.serial, "name": o.name, "cost": o.cost, "sys_updated_on": o.changed})
	}
	if more = from+page < len(all); more {
		w.Header().Set("Link", fmt.Sprintf(`</things?from=%d>; rel="next"`, from+page))
	}
	_ = json.NewEncoder(w).Encode(show(rows)) // whoever asks may hang up
	return more
}

func (s *service) start(t *testing.T, h http.HandlerFunc) *sourcetest.Proxy {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return sourcetest.NewProxy(t, srv.Listener.Addr().String())
}

func fromREST(t *testing.T) *origin {
	s := &service{}
	p := s.start(t, func(w http.ResponseWriter, r *http.Request) {
		from, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("from"), "0"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.answer(w, from, func(thing) bool { return true }, func(rows []map[string]string) any { return rows })
	})
	return &origin{kind: "rest", proxy: p, publish: s.publish, source: []string{"connection_url", "rest+http://" + p.Addr + "/things", "options", `{"paging": "link", "rows": "/"}`}}
}

// fromTable speaks the Table API as far as it is asked: the records above a sys_id, changed at a time or later.
func fromTable(t *testing.T) *origin {
	s := &service{}
	p := s.start(t, func(w http.ResponseWriter, r *http.Request) {
		above, since := "", ""
		for term := range strings.SplitSeq(r.URL.Query().Get("sysparm_query"), "^") {
			if after, found := strings.CutPrefix(term, "sys_id>"); found {
				above = after
			} else if at, found := strings.CutPrefix(term, "sys_updated_on>="); found {
				since = at
			}
		}
		if want := "^ORDERBYsys_id"; !strings.HasSuffix("^"+r.URL.Query().Get("sysparm_query"), want) || r.URL.Query().Get("sysparm_limit") != strconv.Itoa(page) {
			http.Error(w, "this double knows one way to ask", http.StatusBadRequest)
			return
		}
		s.answer(w, 0, func(o thing) bool { return o.serial > above && o.changed >= since }, func(rows []map[string]string) any { return map[string]any{"result": rows} })
	})
	return &origin{kind: "table", proxy: p, publish: s.publish, source: []string{"connection_url", "table+http://" + p.Addr + "/u_thing", "use_last_run_datetime", "true",
		"options", fmt.Sprintf(`{"page_size": "%d", "since_zone": "UTC", "overlap": "40s"}`, page)}}
}
