package cli_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"headrace/internal/flow/advisor/scaffold"
)

// fullSet and changesOnly are situations in which we read many records.
const (
	fullSet     = "initiator: us\noperation: read\nrecords: many\nfrequency: recurring\ntrigger: interval\nscope: full-set\ndeletes: absent\n"
	changesOnly = "initiator: us\noperation: read\nrecords: many\nfrequency: recurring\ntrigger: interval\nscope: full-set\nchanges: modified-stamp\n"
	atClosing   = "initiator: us\noperation: read\nrecords: many\nfrequency: recurring\ntrigger: task-closing\nscope: full-set\n"
	oneTime     = "initiator: us\noperation: read\nrecords: many\nfrequency: one-time\nscope: full-set\n"
	onAction    = "initiator: us\noperation: read\nrecords: many\nfrequency: recurring\ntrigger: action\nscope: full-set\n"
	theyRead    = "initiator: app\noperation: read\nrecords: many\nimports-files: yes\n"
)

// leaves are situations in which each pattern with a scaffold is the first choice, or made so.
var leaves = map[string][]string{
	"P1": {fullSet + "file: yes\n", atClosing + "file: yes\n", changesOnly + "file: yes\n", oneTime + "file: yes\n", onAction + "file: yes\n"},
	"P2": {fullSet + "database: yes\n", changesOnly + "database: yes\n", atClosing + "database: yes\n", oneTime + "database: yes\n", onAction + "database: yes\n"},
	"P3": {"initiator: us\noperation: create\nrecords: one\ntrigger: action\napi: yes\n", "initiator: us\noperation: read\nrecords: one\ntrigger: task-closing\napi: yes\n",
		"initiator: us\noperation: create\nrecords: one\ntrigger: task-closing\napi: yes\n", "initiator: us\noperation: read\nrecords: one\ntrigger: action\napi: yes\n"},
	"P4": {fullSet + "api: yes\n", changesOnly + "api: yes\n", atClosing + "api: yes\n", oneTime + "api: yes\n", onAction + "api: yes\n"},
	"P9": {theyRead, theyRead + "changes: modified-stamp\n", "initiator: us\noperation: create\nrecords: many\ntrigger: task-closing\nimports-files: yes\n",
		"initiator: us\noperation: create\nrecords: many\nfrequency: one-time\nimports-files: yes\n"},
}

// scaffolded creates the project for a pattern in a folder of the home, which must lint without a warning.
func (h *home) scaffolded(t *testing.T, dir, pattern, answers string) {
	t.Helper()
	h.write(t, dir+".answers", []byte(answers))
	h.pure(t, "advise", "--answers", dir+".answers", "--create", dir, "--pattern", pattern, "--name", "partner-items")
	if out := string(h.must(t, 0, "project", "lint", dir).stdout); !strings.Contains(out, "mistakes 0, warnings 0") {
		t.Errorf("%s in\n%s%s", pattern, answers, out)
	}
}

// pure runs the program without the flags of the home, which some verbs do not have.
func (h *home) pure(t *testing.T, args ...string) *ended {
	t.Helper()
	bare := &home{name: h.name, dir: h.dir}
	return bare.must(t, 0, args...)
}

// What the advisor drafts lints, and passes its own tests: each pattern in the first of its situations on both stores, in
// the others on SQLite, some of them in the long form only.
func TestWhatTheAdvisorDraftsPassesItsOwnTests(t *testing.T) {
	for _, pattern := range scaffold.Patterns() {
		if len(leaves[pattern]) == 0 {
			t.Errorf("%s has a scaffold and no situation here", pattern)
		}
		t.Run(pattern, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h *home) {
				for n, answers := range leaves[pattern] {
					if n > short(0, 9) && h.name == "postgres" || n > short(1, 9) {
						break
					}
					dir := fmt.Sprintf("%s-%d", pattern, n)
					h.scaffolded(t, dir, pattern, answers)
					if out := string(h.must(t, 0, "test", dir).stdout); !strings.Contains(out, " tests passed") {
						t.Errorf("%s", out)
					}
				}
			})
		})
	}
}

// pages is a partner that hosts a file and answers page by page.
func pages(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/out/partner-items.csv":
			http.ServeContent(w, r, "partner-items.csv", time.Unix(1_900_000_000, 0), strings.NewReader("number,name,status,amount,changed\nA-1,Core switch,active,1200.50,2030-01-14 10:00:00\nA-2,Router,retired,80,\n"))
		case r.URL.Path == "/v1/items" && r.Header.Get("X-API-Key") != "the key":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/v1/items" && r.URL.Query().Get("cursor") == "p2":
			fmt.Fprint(w, `{"total": 2, "items": [{"number": "A-2", "name": "Router", "status": "retired", "amount": 80}]}`)
		case r.URL.Path == "/v1/items":
			fmt.Fprint(w, `{"total": 2, "next": "p2", "items": [{"number": "A-1", "name": "Core switch", "status": "active", "amount": 1200.5, "changed": "2030-01-14T10:00:00Z"}]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What the advisor drafts does the work for real, with the address of the partner put in: a file and pages over HTTP, a
// table of SQLite or PostgreSQL, a folder that a file is written to.
func TestWhatTheAdvisorDraftsRuns(t *testing.T) {
	t.Setenv("PARTNER_ITEMS_PASSWORD", "the password")
	t.Setenv("PARTNER_ITEMS_API_KEY", "the key")
	t.Setenv("HEADRACE_SECRET_KEY", strings.Repeat("5a", 32))
	onBoth(t, func(t *testing.T, h *home) {
		site := pages(t)
		for pattern, to := range map[string][]string{
			"P1": {"https://partner.example", site},
			"P2": {"postgres://db.partner.example/partner", h.partnerTable(t), "credential: partner-items", "", "  tls: verify-full", ""},
			"P4": {"rest+https://partner.example", "rest+" + site},
		} {
			t.Run(pattern, func(t *testing.T) {
				at := h.fresh(t)
				at.scaffolded(t, "project", pattern, leaves[pattern][0])
				at.rewrite(t, "project/sources/partner-items.yaml", to...)
				at.must(t, 0, "project", "apply", "project")
				e := at.must(t, 0, "import", "partner-items", "-o", "json")
				if n := at.must(t, 0, "record", "count", "u_partner_items").stdout; strings.TrimSpace(string(n)) != "2" {
					t.Errorf("%s records, want 2\n%s", n, e)
				}
				if got := string(at.must(t, 0, "record", "list", "u_partner_items", "--query", "u_number=A-1", "--fields", "u_name,u_amount", "-o", "csv").stdout); !strings.Contains(got, "Core switch,1200.5") {
					t.Errorf("%s", got)
				}
			})
		}
		t.Run("P9", func(t *testing.T) {
			at := h.fresh(t)
			at.scaffolded(t, "project", "P9", leaves["P9"][0])
			out := filepath.Join(at.dir, "out")
			at.rewrite(t, "project/exports/partner-items.yaml", "sftp://partner.example/in", out, "credential: partner-items\n", "", "options:\n", "", "  host_key", "# host_key")
			at.must(t, 0, "project", "apply", "project")
			at.must(t, 0, "record", "create", "incident", "short_description=Mail is slow")
			at.must(t, 0, "export", "run", "partner-items")
			files, err := filepath.Glob(filepath.Join(out, "*.csv"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %v, %v", files, err)
			}
			if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), "Mail is slow") {
				t.Errorf("%s, %v", text, err)
			}
		})
	})
}

// fresh is an empty home on the same kind of store.
func (h *home) fresh(t *testing.T) *home {
	t.Helper()
	if h.name == "postgres" {
		return newPostgresHome(t)
	}
	return newHome(t)
}

// rewrite replaces words of a file, given in pairs; each must be there.
func (h *home) rewrite(t *testing.T, name string, pairs ...string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("%s has no %q\n%s", name, pairs[i], text)
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// partnerTable makes the partner's table, in a file of SQLite or in a database of PostgreSQL, and gives its address.
func (h *home) partnerTable(t *testing.T) string {
	t.Helper()
	driver, at, address := "sqlite3", filepath.Join(h.dir, "partner.db"), "sqlite://"+filepath.Join(h.dir, "partner.db")
	if h.name == "postgres" {
		server, err := postgres()
		if err != nil {
			t.Fatal(err)
		}
		driver, at, address = "pgx", server.URL, server.URL
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("drop table partner_items"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, statement := range []string{
		"create table partner_items (number varchar(40) primary key, name varchar(100), status varchar(20), amount decimal(10, 2), changed timestamp not null)",
		"insert into partner_items values ('A-1', 'Core switch', 'active', 1200.50, '2030-01-14 10:00:00'), ('A-2', 'Router', 'retired', 80, '2030-01-10 08:30:00')"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return address
}
