package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"headrace/internal/demo"
)

const separator = "\x1f" // between values where rows are compared

// sqlitePragmas are what the floor runs with: the product's release settings.
const sqlitePragmas = "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"

// sqliteFloor is what a careful person writes for the sqlite3 shell: into a temporary stage, then one upsert that
// leaves unchanged rows alone.
type sqliteFloor struct{ file string }

func (f *sqliteFloor) name() string { return floorName }

func (f *sqliteFloor) fresh(ctx context.Context) error {
	if err := f.clear(ctx); err != nil {
		return err
	}
	return plain(exec.CommandContext(ctx, "sqlite3", f.file,
		"PRAGMA journal_mode=WAL;", "CREATE TABLE asset("+sqliteColumns()+");", "CREATE UNIQUE INDEX asset_key ON asset(asset_tag);"))
}

func (f *sqliteFloor) command(ctx context.Context, in *file) *exec.Cmd {
	return exec.CommandContext(ctx, "sqlite3", "-bail", f.file, sqlitePragmas,
		"CREATE TEMP TABLE stage("+sqliteColumns()+");",
		fmt.Sprintf(".import --csv --skip 1 --schema temp %q stage", in.path),
		"INSERT INTO asset SELECT * FROM stage WHERE true "+
			fmt.Sprintf("ON CONFLICT(asset_tag) DO UPDATE SET %s WHERE (%s) IS NOT (%s);",
				each("% = excluded.%"), each("asset.%"), each("excluded.%")))
}

func (f *sqliteFloor) settled(context.Context) error { return nil }

func (f *sqliteFloor) check(printed []byte, _ *file) error {
	if len(bytes.TrimSpace(printed)) > 0 {
		return fmt.Errorf("sqlite3 printed %q", printed)
	}
	return nil
}

func (f *sqliteFloor) content(ctx context.Context) *exec.Cmd { return sqliteContent(ctx, f.file) }

func (f *sqliteFloor) clear(context.Context) error {
	for _, name := range []string{f.file, f.file + "-wal", f.file + "-shm"} {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

func sqliteContent(ctx context.Context, file string) *exec.Cmd {
	return exec.CommandContext(ctx, "sqlite3", "-readonly", "-bail", "-list", "-noheader", "-separator", separator, file,
		"SELECT "+strings.Join(demo.AssetColumns, ", ")+" FROM asset;")
}

func sqliteColumns() string {
	return columns(map[string]string{"cost": "NUMERIC"}, "TEXT")
}

// columns declares the columns of the asset file with their SQL types.
func columns(types map[string]string, text string) string {
	list := make([]string, len(demo.AssetColumns))
	for i, name := range demo.AssetColumns {
		list[i] = name + " " + text
		if t := types[name]; t != "" {
			list[i] = name + " " + t
		}
	}
	return strings.Join(list, ", ")
}

// each renders the columns behind the key, with % standing for the name, as a list.
func each(form string) string {
	list := make([]string, 0, len(demo.AssetColumns))
	for _, name := range demo.AssetColumns[1:] {
		list = append(list, strings.ReplaceAll(form, "%", name))
	}
	return strings.Join(list, ", ")
}

// plain runs a command that only has to succeed.
func plain(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
