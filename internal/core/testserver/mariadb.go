package testserver

import (
	"errors"
	"os/exec"
)

const mariaScript = `
PATH=$PATH:/usr/sbin
mkdir "$1/data" &&
mariadb-install-db --no-defaults --datadir="$1/data" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve >"$1/log" 2>&1 ||
{ cat "$1/log"; rm -rf "$1"; exit 1; }
mariadbd --no-defaults --datadir="$1/data" --socket="$1/sock" --pid-file="$1/pid" --port="$2" --bind-address=127.0.0.1 --skip-name-resolve \
  --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --skip-log-bin --performance-schema=OFF \
  --init-file="$1/init.sql" $3 >>"$1/log" 2>&1 </dev/null &
server=$!
until mariadb-admin --no-defaults --socket="$1/sock" -u root ping >/dev/null 2>&1; do
  kill -0 $server 2>/dev/null || { cat "$1/log"; rm -rf "$1"; exit 1; }
  sleep 0.1
done
echo ready
read -r _
kill -9 $server
wait $server 2>/dev/null
rm -rf "$1"
`

// MariaDB starts a MariaDB server on a port of the loopback, as the account mysql when the tests run as root. It begins
// with the statements of init, one a line; the user root comes in from this machine without a password. The options are
// those of the server, and files are put into its folder before.
func MariaDB(init, options string, files map[string]string) (s *Server, port string, err error) {
	if _, err := exec.LookPath("mariadb-install-db"); err != nil {
		return nil, "", errors.Join(errors.New("no MariaDB server on this machine; run: make deps"), err)
	}
	all := map[string]string{"init.sql": init}
	for name, content := range files {
		all[name] = content
	}
	return StartOnPort(Program{Name: "maria", Script: mariaScript, Account: "mysql", Args: []string{options}, Files: all})
}
