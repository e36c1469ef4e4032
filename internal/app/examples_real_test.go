package app_test

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"headrace/internal/app"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/sshd"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/core/testserver"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/store/storetest/stores"
)

// onReal applies an example whose addresses are replaced by those of real servers, as its README says it is done.
func onReal(t *testing.T, example, secret string, replace ...string) *app.App {
	t.Helper()
	dir, missing := t.TempDir(), map[string]bool{}
	for i := 0; i < len(replace); i += 2 {
		missing[replace[i]] = true
	}
	err := filepath.WalkDir(filepath.Join(examples, example), func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(at)
		for old := range missing {
			missing[old] = missing[old] && !strings.Contains(string(b), old)
		}
		to := filepath.Join(dir, strings.TrimPrefix(at, filepath.Join(examples, example)))
		return errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(strings.NewReplacer(replace...).Replace(string(b))), 0o644))
	})
	if err != nil {
		t.Fatal(err)
	}
	for old, is := range missing {
		if is {
			t.Fatalf("%s says nowhere %q", example, old)
		}
	}
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir(), Outside: app.Outside{Getenv: func(name string) (string, bool) { return secret, !strings.HasSuffix(name, "_FILE") }}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := a.LoadProject(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Project.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return a
}

// brings runs a data source and compares its ledger, with what became of absent records and of files.
func brings(t *testing.T, a *app.App, source, want string) {
	t.Helper()
	r, err := a.Sources.Run(t.Context(), datasource.Request{Name: source, Actor: record.System})
	if err != nil {
		t.Fatal(err, fault.HintOf(err))
	}
	got := []string{r.State}
	for _, run := range r.Runs {
		got = append(got, run.Ledger.String())
	}
	if r.Absent != nil {
		got = append(got, fmt.Sprintf("%d deactivated", r.Absent.Deactivated))
	}
	for _, f := range r.Files {
		got = append(got, filepath.Base(f.Path)+" "+f.State)
	}
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("%s brings %s, expected %s", source, text, want)
	}
}

// partnerSQL runs a file of the example's tests on a database of the partner.
func partnerSQL(t *testing.T, db *sql.DB, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, "cmdb-from-database", "tests", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
}

// assets is a database of the partner: how the tests write to it, what the example says of it, and the password.
type assets struct {
	db       *sql.DB
	replace  []string
	password string
}

func TestTheCMDBComesFromRealDatabases(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) assets{"postgres": assetsOnPostgres, "mariadb": assetsOnMariaDB} {
		t.Run(name, func(t *testing.T) {
			partner := start(t)
			partnerSQL(t, partner.db, "servers.sql")
			a := onReal(t, "cmdb-from-database", partner.password, append(partner.replace, "tls: verify-full", "tls: prefer")...)
			brings(t, a, "asset-servers", "done, 6 = 6 inserted + 0 updated + 0 unchanged + 0 skipped + 0 rejected, 0 deactivated")
			partnerSQL(t, partner.db, "changes.sql")
			brings(t, a, "asset-servers", "done, 6 = 1 inserted + 1 updated + 4 unchanged + 0 skipped + 0 rejected, 1 deactivated")
			brings(t, a, "asset-servers", "done, 6 = 0 inserted + 0 updated + 6 unchanged + 0 skipped + 0 rejected, 0 deactivated")
			if _, err := partner.db.ExecContext(t.Context(), "drop table servers_for_cmdb"); err != nil {
				t.Fatal(err)
			}
			_, err := a.Sources.Run(t.Context(), datasource.Request{Name: "asset-servers", Actor: record.System})
			if err == nil || !strings.Contains(err.Error(), "servers_for_cmdb") {
				t.Errorf("without its view the error is %v", err)
			}
		})
	}
}

// assetsOnPostgres is a schema of the PostgreSQL server of the tests, which is reached by a port.
func assetsOnPostgres(t *testing.T) assets {
	at := stores.Postgres(t)
	cfg, err := pgx.ParseConfig(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	if strings.HasPrefix(cfg.Host, "/") {
		server = fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	u, err := url.Parse(at.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", at.Schema)
	u.RawQuery = q.Encode()
	db := database(t, "pgx", u.String())
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+at.Schema); err != nil {
		t.Fatal(err)
	}
	return assets{db: db, password: cmp.Or(cfg.Password, "any"), replace: []string{"assets.example.com/assets", sourcetest.NewProxy(t, server).Addr + "/" + cfg.Database,
		"username: headrace_reader", "username: " + cfg.User, "table: servers_for_cmdb", "table: " + at.Schema + ".servers_for_cmdb"}}
}

func assetsOnMariaDB(t *testing.T) assets {
	s, port, err := testserver.MariaDB("CREATE DATABASE assets;\nCREATE USER headrace_reader@'%' IDENTIFIED BY 'pa:ss@w/ord';\nGRANT SELECT ON assets.* TO headrace_reader@'%';\n", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return assets{db: database(t, "mysql", "root@unix("+s.Dir+"/sock)/assets?multiStatements=true"), password: "pa:ss@w/ord",
		replace: []string{"postgres://assets.example.com/assets", "mysql://127.0.0.1:" + port + "/assets"}}
}

func database(t *testing.T, driver, at string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestTheNightlyFileComesFromARealSSHServer(t *testing.T) {
	s := sshd.Start(t)
	file, err := os.ReadFile(filepath.Join(examples, "nightly-file", "tests", "inventory_20300115.csv"))
	if err != nil {
		t.Fatal(err)
	}
	left := func(name, text string) {
		t.Helper()
		at := filepath.Join(s.Root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	left("outgoing/inventory_20300115.csv", string(file))
	const pinned = "SHA256:sTr0ngKeyOfTheServerAsItsOperatorReadItOut00"
	address := []string{"sftp://files.example.com/outgoing/inventory_*.csv", s.URL("outgoing") + "/inventory_*.csv", "userName: headrace", "userName: " + s.User}

	a := onReal(t, "nightly-file", s.Key, address...)
	if _, err := a.Sources.Run(t.Context(), datasource.Request{Name: "inventory", Actor: record.System}); err == nil || !strings.Contains(err.Error()+fault.HintOf(err), s.Fingerprint) {
		t.Errorf("a server with another host key: %v (%s)", err, fault.HintOf(err))
	}
	a = onReal(t, "nightly-file", s.Key, append(address, pinned, s.Fingerprint)...)
	brings(t, a, "inventory", "waiting")
	left("outgoing/inventory_20300115.csv.ok", `{"count": 3}`)
	brings(t, a, "inventory", "done, 3 = 2 inserted + 0 updated + 0 unchanged + 0 skipped + 1 rejected, inventory_20300115.csv done")
	for _, name := range []string{"inventory_20300115.csv", "inventory_20300115.csv.ok"} {
		if _, err := os.Stat(filepath.Join(s.Root, "outgoing/done", name)); err != nil {
			t.Error(err)
		}
	}
	left("outgoing/inventory_20300116.csv", string(file))
	left("outgoing/inventory_20300116.csv.ok", "")
	brings(t, a, "inventory", "nothing, inventory_20300116.csv duplicate")
	brings(t, a, "inventory", "nothing")
}
