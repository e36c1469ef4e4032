package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/core/fault"
)

// says checks kind, message and hint of a fault.
func says(t *testing.T, err error, kind fault.Kind, words ...string) {
	t.Helper()
	text := fmt.Sprint(err) + " / " + fault.HintOf(err)
	if fault.KindOf(err) != kind || fault.HintOf(err) == "" {
		t.Errorf("kind %v, want %v: %s", fault.KindOf(err), kind, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("does not say %q: %s", w, text)
		}
	}
}

func TestTheTestOfAConnectionSaysWhatIsWrong(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer, sqliteServer(t)} {
		s.table(t, "orders", "CREATE TABLE orders (id int PRIMARY KEY, label varchar(20), ratio double precision, changed timestamp)")
		s.table(t, "hidden", "CREATE TABLE hidden (id int PRIMARY KEY)")
		if s.kind == "postgres" {
			s.exec(t, "REVOKE SELECT ON hidden FROM reader")
		}
		for _, c := range []struct {
			name    string
			options format.Options
			kind    fault.Kind
			words   []string
		}{
			{"table missing", format.Options{"table": "orderz"}, fault.NotFound, []string{"orderz", `did you mean "orders"`}},
			{"table in another case", format.Options{"table": "ORDERS"}, fault.NotFound, []string{`did you mean "orders"`}},
			{"watermark missing", format.Options{"table": "orders", "watermark": "chanced"}, fault.Invalid, []string{"chanced", `did you mean "changed"`}},
			{"watermark is text", format.Options{"table": "orders", "watermark": "label"}, fault.Invalid, []string{"label", "not comparable"}},
			{"watermark is inexact", format.Options{"table": "orders", "watermark": "ratio"}, fault.Invalid, []string{"ratio", "not exact"}},
			{"order missing", format.Options{"table": "orders", "order": "id, lable"}, fault.Invalid, []string{"lable", `did you mean "label"`}},
			{"syntax", format.Options{"query": "SELECT 1 FRM x y z"}, fault.Invalid, []string{"refuses the query"}},
		} {
			if s.kind == "sqlite" && c.name == "table in another case" {
				continue // names there have no case
			}
			t.Run(s.kind+" "+c.name, func(t *testing.T) {
				says(t, s.open(t, c.options).Test(t.Context()), c.kind, c.words...)
			})
		}
	}
	says(t, postgresServer.open(t, format.Options{"table": "hidden"}).Test(t.Context()), fault.Denied, "hidden", "GRANT SELECT")
	says(t, mariaServer.open(t, format.Options{"table": "mysql.user"}).Test(t.Context()), fault.Denied, "user", "GRANT SELECT")
	o := format.Options{"table": "orders"}
	says(t, open(t, "postgres://"+postgresServer.addr+"/nowhere", o, secret).Test(t.Context()), fault.NotFound, "nowhere")
	says(t, open(t, "mysql://"+mariaServer.addr+"/closed", o, secret).Test(t.Context()), fault.Denied, "closed")
	says(t, open(t, "sqlite:missing.db", o, secret).Test(t.Context()), fault.NotFound, "missing.db")
	says(t, mariaServer.open(t, format.Options{"table": "orders", "tls": "disable", "connect_timeout": "1ns"}).Test(t.Context()), fault.Unavailable, "1ns")
}

func TestAFileThatIsNoDatabaseIsNamedSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database at all. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, open(t, "sqlite://"+path, format.Options{"table": "t"}, secret).Test(t.Context()), fault.Invalid, "no SQLite database")
}

func TestAnAddressOrOptionThatCannotBeIsRefusedBeforeAnythingIsReached(t *testing.T) {
	for _, c := range []struct {
		address string
		options format.Options
		word    string
	}{
		{"postgres://h/d", nil, "neither a table nor a query"},
		{"postgres://h/d", format.Options{"table": "a", "query": "SELECT 1"}, "both a table and a query"},
		{"postgres://h/d", format.Options{"table": `a."b`}, "no name of a table"},
		{"postgres://h/d", format.Options{"table": "a", "zone": "Europe/Nowhere"}, "no time zone"},
		{"postgres://h/d", format.Options{"table": "a", "timeout": "soon"}, "no duration"},
		{"postgres://h/d", format.Options{"table": "a", "tls": "maybe"}, "not one of"},
		{"mysql://h/d?tabel=a", format.Options{"table": "a"}, "tabel"},
		{"sqlite://host/path", format.Options{"table": "a"}, "has a host"},
		{"sqlserver://h/d?app=x", format.Options{"table": "a"}, "app"},
		{"postgres://h:99999999/d", format.Options{"table": "a"}, "not understood"},
	} {
		r, err := tryOpen(c.address, c.options, source.Secret{})
		if err == nil {
			err = r.Test(t.Context())
		}
		says(t, err, fault.Invalid, c.word)
	}
}

func TestCertificatesAreVerifiedAsAskedFor(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer} {
		s.table(t, "safe", "CREATE TABLE safe (id int PRIMARY KEY)")
		other := postgresServer.ca
		if s == postgresServer {
			other = mariaServer.ca
		}
		_, port, err := net.SplitHostPort(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		try := func(host string, o format.Options) error {
			o["table"] = "safe"
			return open(t, s.url(net.JoinHostPort(host, port)), o, secret).Test(t.Context())
		}
		t.Run(s.kind, func(t *testing.T) {
			for _, o := range []format.Options{{"tls": "verify-full", "ca": s.ca}, {"tls": "verify-ca", "ca": s.ca}, {"tls": "require"}, {"tls": "disable"}} {
				if err := try("127.0.0.1", o); err != nil {
					t.Errorf("%v: %v", o, err)
				}
			}
			if err := try("localhost", format.Options{"tls": "verify-ca", "ca": s.ca}); err != nil {
				t.Error(err)
			}
			says(t, try("127.0.0.1", format.Options{"tls": "verify-full", "ca": other}), fault.Denied, "unknown authority")
			says(t, try("127.0.0.1", format.Options{"tls": "verify-ca", "ca": other}), fault.Denied, "unknown authority")
			says(t, try("localhost", format.Options{"tls": "verify-full", "ca": s.ca}), fault.Denied, "not for this host")
			says(t, try("127.0.0.1", format.Options{"tls": "verify-full", "ca": "nowhere.pem"}), fault.Invalid, "nowhere.pem")
		})
	}
}

func TestAPrivateNetworkNeedsLeave(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer} {
		k := kindOf(s.kind)
		r, err := k.Rows(source.Address{URL: parsed(t, s.url(s.addr)), Options: format.Options{"query": "SELECT 1"}, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		says(t, r.Test(t.Context()), fault.Refused, "private network")
	}
}

func TestNothingIsWrittenByAQuery(t *testing.T) {
	s := postgresServer
	s.table(t, "kept", "CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (1)", "GRANT ALL ON kept TO reader")
	says(t, s.open(t, format.Options{"query": "DELETE FROM kept RETURNING id"}).Test(t.Context()), fault.Invalid)
	says(t, s.open(t, format.Options{"query": "WITH x AS (DELETE FROM kept RETURNING id) SELECT * FROM x"}).Test(t.Context()), fault.Invalid)
	m := mariaServer
	m.table(t, "kept", "CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (1)", "GRANT ALL ON src.kept TO reader")
	says(t, m.open(t, format.Options{"query": "DELETE FROM kept RETURNING id"}).Test(t.Context()), fault.Invalid)
	l := sqliteServer(t)
	l.table(t, "kept", "CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (1)")
	says(t, l.open(t, format.Options{"query": "DELETE FROM kept RETURNING id"}).Test(t.Context()), fault.Invalid)
	for _, s := range []*server{s, m, l} {
		lines, _, _, err := sourcetest.Read(t.Context(), s.open(t, format.Options{"table": "kept"}), "")
		if err != nil || len(lines) != 1 {
			t.Errorf("%s: %q, %v", s.kind, lines, err)
		}
	}
}

// busy says how many readings a server has under way.
var busy = map[string]string{
	"postgres": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'",
	"mysql":    "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'reader'",
}

// endless gives more rows than anybody waits for.
var endless = map[string]string{
	"postgres": "SELECT generate_series(1, 2000000000) AS id, repeat('x', 1000) AS filler",
	"mysql":    "SELECT seq, repeat('x', 1000) AS filler FROM seq_1_to_2000000000",
}

// settles waits until the server has none under way, which it must come to by itself.
func settles(t *testing.T, s *server) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		var n int
		if err := s.admin.QueryRow(busy[s.kind]).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d readings go on at the server", n)
		}
	}
}

func TestAConnectionThatIsNotEncryptedIsWarnedOf(t *testing.T) {
	for address, warned := range map[string]bool{"postgres://db.example.com/a?tls=disable": true, "mysql://db.example.com/a": false,
		"mysql://127.0.0.1/a?tls=disable": false, "sqlserver://[2001:db8::1]/a?tls=disable": true, "sqlite:///srv/a.db": false} {
		w, ok := open(t, address, format.Options{"table": "x"}, secret).(source.Warner)
		if !ok || (len(w.Warnings()) > 0) != warned {
			t.Errorf("%s: %t", address, ok)
		}
	}
}

func TestTheServerStopsWhenTheReaderDoes(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer} {
		t.Run(s.kind, func(t *testing.T) {
			for range s.open(t, format.Options{"query": endless[s.kind]}).Read(t.Context(), "").Rows {
				break
			}
			settles(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			var last error
			for _, last = range s.open(t, format.Options{"query": endless[s.kind]}).Read(ctx, "").Rows {
				cancel()
			}
			cancel()
			if !errors.Is(last, context.Canceled) {
				t.Errorf("%v", last)
			}
			settles(t, s)
		})
	}
}

func TestAReadingThatTheServerEndsIsNoSuccess(t *testing.T) {
	kill := map[string]string{
		"postgres": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'",
		"mysql":    "KILL USER reader",
	}
	for _, s := range []*server{postgresServer, mariaServer} {
		t.Run(s.kind, func(t *testing.T) {
			var last error
			n := 0
			for _, last = range s.open(t, format.Options{"query": endless[s.kind]}).Read(t.Context(), "").Rows {
				if n++; n == 1 {
					s.exec(t, kill[s.kind])
				}
			}
			says(t, last, fault.Unavailable)
			settles(t, s)
		})
	}
}

func TestAReadingThatTakesTooLongIsNoSuccess(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer} {
		t.Run(s.kind, func(t *testing.T) {
			says(t, readError(t, s.open(t, format.Options{"query": endless[s.kind], "timeout": "2s"})), fault.Unavailable, "longer than 2s")
			pause := map[string]string{"postgres": "SELECT 1 AS n, pg_sleep(600)", "mysql": "SELECT 1 AS n, SLEEP(600)"}[s.kind]
			says(t, readError(t, s.open(t, format.Options{"query": pause, "idle_timeout": "2s"})), fault.Unavailable, "nothing has come")
		})
	}
}

func readError(t *testing.T, r source.Rows) error {
	t.Helper()
	for _, err := range r.Read(t.Context(), "").Rows {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestATableDroppedInMidReadIsReadToItsEnd(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer} {
		t.Run(s.kind, func(t *testing.T) {
			fill := map[string]string{"postgres": "INSERT INTO doomed SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i",
				"mysql": "INSERT INTO doomed SELECT seq, repeat('x', 1000) FROM seq_1_to_20000"}[s.kind]
			s.table(t, "doomed", "CREATE TABLE doomed (id int PRIMARY KEY, filler text)", fill)
			dropped := make(chan error, 1)
			n := 0
			for _, err := range s.open(t, format.Options{"table": "doomed"}).Read(t.Context(), "").Rows {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 1 {
					go func() {
						_, err := s.admin.Exec("DROP TABLE doomed")
						dropped <- err
					}()
				}
			}
			if err := <-dropped; err != nil {
				t.Error(err)
			}
			if n != 20000 {
				t.Errorf("%d rows", n)
			}
			says(t, s.open(t, format.Options{"table": "doomed"}).Test(t.Context()), fault.NotFound, "doomed")
		})
	}
}
