package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// store is where the product keeps its records.
type store interface {
	fresh(ctx context.Context) error
	clear(ctx context.Context) error
	settled(ctx context.Context) error
	content(ctx context.Context) *exec.Cmd
}

// product is the release build, run as a person would run it.
type product struct {
	bin   string
	where []string // the flag that names the store
	maps  string   // file of the map
	store
}

// The maps of the benchmark: they come to the same records, the second by way of one script per row.
const (
	plainMap  = "bench/asset.yaml"
	scriptMap = "bench/asset-script.yaml"
)

func (p *product) name() string { return productName }

// The two command lines that the benchmark uses.
func (p *product) createTable() []string {
	return []string{"table", "create", "-f", "bench/asset-table.yaml"}
}
func (p *product) importFile(path string) []string {
	return []string{"import", path, "--into", "asset", "--map", p.maps, "-o", "json"}
}

func (p *product) fresh(ctx context.Context) error {
	if err := p.store.fresh(ctx); err != nil {
		return err
	}
	return plain(exec.CommandContext(ctx, p.bin, append(p.createTable(), p.where...)...))
}

func (p *product) command(ctx context.Context, f *file) *exec.Cmd {
	return exec.CommandContext(ctx, p.bin, append(p.importFile(f.path), p.where...)...)
}

// check compares the ledger with what the file is known to come to.
func (p *product) check(printed []byte, f *file) error {
	var answer struct{ Result ledger }
	if err := json.Unmarshal(printed, &answer); err != nil {
		return fmt.Errorf("the result is not JSON: %w\n%s", err, printed)
	}
	if answer.Result != f.ledger {
		return fmt.Errorf("the ledger says %+v, it must say %+v", answer.Result, f.ledger)
	}
	return nil
}

// dataFolder is the product's embedded store.
type dataFolder struct{ path string }

func (d *dataFolder) fresh(ctx context.Context) error { return d.clear(ctx) }

func (d *dataFolder) clear(context.Context) error { return os.RemoveAll(d.path) }

func (d *dataFolder) settled(context.Context) error { return nil }

// content reads the database with the sqlite3 shell: it must hold the rows whatever the product says.
func (d *dataFolder) content(ctx context.Context) *exec.Cmd {
	found, err := filepath.Glob(filepath.Join(d.path, "*.db"))
	if err != nil || len(found) != 1 {
		found = []string{filepath.Join(d.path, "(no single *.db)")}
	}
	return sqliteContent(ctx, found[0])
}
