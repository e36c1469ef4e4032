package testserver

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

const postgresScript = `
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$1/log" 2>&1 &&
{ [ ! -e "$1/pg_hba.conf" ] || cp "$1/pg_hba.conf" "$1/data/"; } &&
"$2/pg_ctl" -D "$1/data" -l "$1/log" -w -o "-c unix_socket_directories=$1 $3" start >/dev/null 2>&1 && echo ready || { cat "$1/log"; rm -rf "$1"; exit 1; }
read -r _
"$2/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
`

// Postgres starts a PostgreSQL server, as the account postgres when the tests run as root. Its socket lies in its folder,
// and the user postgres comes in by it without a password. The options are those of the server, and files are put into
// its folder before: a pg_hba.conf among them takes the place of the one that lets everybody in.
func Postgres(options string, files map[string]string) (*Server, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	return Start(Program{Name: "pg", Script: postgresScript, Account: "postgres", Args: []string{bin, options}, Files: files})
}

// postgresBinaries finds initdb in the PATH, or the newest version where distributions keep it.
func postgresBinaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, more...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no PostgreSQL server on this machine; run: make deps")
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
	return filepath.Dir(found[len(found)-1]), nil
}

// version is the number in a path such as /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(part); err == nil {
			return n
		}
	}
	return 0
}
