package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"headrace/internal/demo"
)

// serverSettings are stated with the results. fsync stays on, and the log is large enough that no checkpoint falls
// into a run: one is made before each. Its files are kept for reuse: making them anew costs a third of a load.
var serverSettings = []string{"shared_buffers=2GB", "work_mem=256MB", "max_wal_size=32GB", "min_wal_size=8GB", "checkpoint_timeout=1h"}

// server is a PostgreSQL server of our own on the loopback.
type server struct{ dir, url string }

// startServer makes a cluster below parent. The folder must be reachable for the account that PostgreSQL runs under.
func startServer(ctx context.Context, parent string) (*server, error) {
	dir, err := os.MkdirTemp(parent, "headrace-bench-pg-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir + "/cluster"}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "scripts/pg", append([]string{"start", s.dir}, serverSettings...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("scripts/pg start: %w", err)
	}
	s.url = strings.TrimSpace(string(out))
	return s, nil
}

func (s *server) stop() {
	err := plain(exec.Command("scripts/pg", "stop", s.dir))
	if err == nil {
		err = os.Remove(strings.TrimSuffix(s.dir, "/cluster"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// database is one database of the server.
type database struct{ name, url, admin string }

func (s *server) database(name string) *database {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err) // scripts/pg made it
	}
	u.Path = "/" + name
	return &database{name: name, url: u.String(), admin: s.url}
}

func psql(ctx context.Context, url string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "psql", append([]string{"--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url}, args...)...)
}

// fresh makes the database anew, empty.
func (d *database) fresh(ctx context.Context) error {
	if err := d.clear(ctx); err != nil {
		return err
	}
	return plain(psql(ctx, d.admin, "--command", "CREATE DATABASE "+d.name))
}

func (d *database) clear(ctx context.Context) error {
	return plain(psql(ctx, d.admin, "--command", "DROP DATABASE IF EXISTS "+d.name))
}

func (d *database) settled(ctx context.Context) error {
	return plain(psql(ctx, d.admin, "--command", "CHECKPOINT"))
}

func (d *database) content(ctx context.Context) *exec.Cmd {
	return psql(ctx, d.url, "--command",
		"COPY (SELECT "+strings.Join(demo.AssetColumns, ", ")+" FROM asset) TO STDOUT WITH (DELIMITER E'\\x1f')")
}

// postgresFloor is what a careful person writes for psql: \copy into a temporary stage, then one MERGE that leaves
// unchanged rows alone. For an empty target INSERT .. ON CONFLICT takes half as long again.
type postgresFloor struct{ *database }

func (f *postgresFloor) name() string { return floorName }

func (f *postgresFloor) fresh(ctx context.Context) error {
	if err := f.database.fresh(ctx); err != nil {
		return err
	}
	return plain(psql(ctx, f.url, "--command",
		"CREATE TABLE asset("+floorColumns()+")",
		"--command", "CREATE UNIQUE INDEX asset_key ON asset(asset_tag)"))
}

func floorColumns() string {
	return columns(map[string]string{"cost": "numeric", "purchase_date": "date"}, "text")
}

const stageTable = "CREATE TEMP TABLE stage (LIKE asset)"

func mergeStage() string {
	return "MERGE INTO asset USING stage ON asset.asset_tag = stage.asset_tag" +
		" WHEN MATCHED AND (" + each("asset.%") + ") IS DISTINCT FROM (" + each("stage.%") + ") THEN UPDATE SET " + each("% = stage.%") +
		" WHEN NOT MATCHED THEN INSERT VALUES (stage.asset_tag, " + each("stage.%") + ")"
}

func (f *postgresFloor) command(ctx context.Context, in *file) *exec.Cmd {
	return psql(ctx, f.url, "--command", stageTable,
		"--command", `\copy stage FROM '`+strings.ReplaceAll(in.path, "'", "''")+`' CSV HEADER`,
		"--command", mergeStage())
}

func (f *postgresFloor) check(printed []byte, _ *file) error {
	if len(bytes.TrimSpace(printed)) > 0 {
		return fmt.Errorf("psql printed %q", printed)
	}
	return nil
}
