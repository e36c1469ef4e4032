// Package pgtest runs a PostgreSQL server of its own for the time of a test binary.
package pgtest

import (
	"net/url"
	"os"

	"headrace/internal/core/testserver"
)

// Variable names the environment variable that holds the URL of a server to use instead of an own one. The user in it
// must be allowed to make schemas.
const Variable = "HEADRACE_TEST_POSTGRES"

// Server is a running server. Stop ends it and removes its files.
type Server struct {
	URL  string
	kept *testserver.Server
}

// Start makes a cluster in a temporary directory and starts it. It listens on a socket in that directory only. A machine
// without PostgreSQL is an error: the tests of a store are worth nothing on one of two databases.
func Start() (*Server, error) {
	if given := os.Getenv(Variable); given != "" {
		return &Server{URL: given}, nil
	}
	kept, err := testserver.Postgres("-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200 -c max_wal_size=4GB "+
		"-c shared_buffers=256MB -c autovacuum=off", nil)
	if err != nil {
		return nil, err
	}
	query := url.Values{"host": {kept.Dir}, "user": {"postgres"}}
	return &Server{URL: "postgres:///postgres?" + query.Encode(), kept: kept}, nil
}

// Stop ends a server that Start started.
func (s *Server) Stop() error {
	if s.kept == nil {
		return nil
	}
	return s.kept.Stop()
}
