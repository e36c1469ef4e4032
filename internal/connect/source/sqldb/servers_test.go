package sqldb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/sqldb"
	"headrace/internal/core/testserver"
)

// secret is who reads. The password has characters that addresses must escape.
var secret = source.Secret{User: "reader", Password: "pa:ss@w/ord&"}

// server is a database under test: how the tests write to it, and how it is read.
type server struct {
	kind  string
	addr  string // host:port; "" for SQLite
	url   func(addr string) string
	admin *sql.DB
	ca    string // path of the authority of its certificate
	stop  func() error
}

var (
	postgresServer, mariaServer *server
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hrca")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	var begun sync.WaitGroup
	var errs [2]error
	begun.Go(func() { postgresServer, errs[0] = startPostgres(dir) })
	begun.Go(func() { mariaServer, errs[1] = startMariaDB(dir) })
	begun.Wait()
	err = errors.Join(errs[:]...)
	code := 1
	if err == nil {
		code = m.Run()
	}
	for _, s := range []*server{postgresServer, mariaServer} {
		if s != nil {
			err = errors.Join(err, s.admin.Close(), s.stop())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func startPostgres(dir string) (*server, error) {
	cert, key, err := certificate(filepath.Join(dir, "pg.pem"))
	if err != nil {
		return nil, err
	}
	port, err := testserver.Port()
	if err != nil {
		return nil, err
	}
	kept, err := testserver.Postgres("-c listen_addresses=127.0.0.1 -c port="+port+" -c fsync=off -c full_page_writes=off -c autovacuum=off -c ssl=on "+
		"-c ssl_cert_file=../server.crt -c ssl_key_file=../server.key", map[string]string{"server.crt": cert, "server.key": key,
		"pg_hba.conf": "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"})
	if err != nil {
		return nil, err
	}
	s := &server{kind: "postgres", addr: "127.0.0.1:" + port, ca: filepath.Join(dir, "pg.pem"), stop: kept.Stop,
		url: func(addr string) string { return "postgres://" + addr + "/postgres" }}
	s.admin, err = sql.Open("pgx", "host="+kept.Dir+" port="+port+" user=postgres dbname=postgres sslmode=disable")
	if err == nil {
		_, err = s.admin.Exec("CREATE ROLE reader LOGIN PASSWORD '" + secret.Password + "'; " +
			"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")
	}
	return s, err
}

func startMariaDB(dir string) (*server, error) {
	cert, key, err := certificate(filepath.Join(dir, "maria.pem"))
	if err != nil {
		return nil, err
	}
	kept, port, err := testserver.MariaDB("CREATE DATABASE src;\nCREATE DATABASE closed;\nCREATE USER reader@'%' IDENTIFIED BY '"+secret.Password+"';\n"+
		"GRANT SELECT ON src.* TO reader@'%';\n", "--ssl-cert=../server.crt --ssl-key=../server.key",
		map[string]string{"server.crt": cert, "server.key": key})
	if err != nil {
		return nil, err
	}
	s := &server{kind: "mysql", addr: "127.0.0.1:" + port, ca: filepath.Join(dir, "maria.pem"), stop: kept.Stop,
		url: func(addr string) string { return "mysql://" + addr + "/src" }}
	s.admin, err = sql.Open("mysql", "root@unix("+kept.Dir+"/sock)/src?multiStatements=true&time_zone=%27%2B00:00%27")
	return s, err
}

// sqliteServer makes an empty database in a file.
func sqliteServer(t testing.TB) *server {
	path := filepath.Join(t.TempDir(), "a b?.db")
	s := &server{kind: "sqlite", url: func(string) string { return "sqlite://" + (&url.URL{Path: path}).EscapedPath() }}
	var err error
	if s.admin, err = sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_journal_mode=WAL"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.admin.Close() })
	return s
}

// exec runs statements as the one who may.
func (s *server) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.admin.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// table makes a table for the time of the test.
func (s *server) table(t testing.TB, name string, statements ...string) {
	t.Helper()
	t.Cleanup(func() { s.exec(t, "DROP TABLE IF EXISTS "+name) })
	s.exec(t, statements...)
}

// open opens the source of the server.
func (s *server) open(t testing.TB, o format.Options) source.Rows {
	t.Helper()
	return open(t, s.url(s.addr), o, secret)
}

func open(t testing.TB, address string, o format.Options, secret source.Secret) source.Rows {
	t.Helper()
	r, err := tryOpen(address, o, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func parsed(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func tryOpen(address string, o format.Options, secret source.Secret) (source.Rows, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return kindOf(u.Scheme).Rows(source.Address{URL: u, Options: o, Secret: secret, Inside: true})
}

func kindOf(scheme string) source.Kind {
	for _, k := range sqldb.Kinds() {
		for _, s := range k.Info.Schemes {
			if s == scheme {
				return k
			}
		}
	}
	panic("no kind of scheme " + scheme)
}

// certificate makes an authority, kept in a file, and a certificate of it for localhost.
func certificate(ca string) (cert, key string, err error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"db.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: root.NotBefore, NotAfter: root.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &signer.PublicKey, signer)
	if err != nil {
		return "", "", err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &own.PublicKey, signer)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return "", "", err
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", leafDER), block("PRIVATE KEY", keyDER), os.WriteFile(ca, []byte(block("CERTIFICATE", rootDER)), 0o600)
}
