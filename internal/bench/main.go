// Command bench measures imports against the raw tools (the sqlite3 and psql command lines) doing stage and upsert on
// the same file, or on the same table of another database, in turn and in one run, and prints the ratios beside their budgets. After every run the content of the
// target is compared with what the files say it must be; a run with a wrong result ends the benchmark.
//
//	scripts/bench [-rows N] [-n RUNS] [-stores sqlite,postgres] [-scale] [-floors]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

type settings struct {
	rows   int64
	runs   int
	stores []string
	scale  bool
	floors bool // the raw tools only
	bin    string
	dir    string // files and SQLite databases
	pgDir  string // where the PostgreSQL cluster is made; "" is the system's temporary folder
}

func main() {
	s, err := parse(os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, s)
		stop()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	var stores string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Int64Var(&s.rows, "rows", 1_000_000, "rows of the file; the budgets are meant for a million")
	flags.IntVar(&s.runs, "n", 3, "runs of each, the median counts")
	flags.StringVar(&stores, "stores", "sqlite,postgres", "stores to measure")
	flags.BoolVar(&s.scale, "scale", false, "also ten times the rows with shuffled keys, once (needs 20 GB of disk)")
	flags.BoolVar(&s.floors, "floors", false, "measure the raw tools only")
	flags.StringVar(&s.bin, "bin", "bin/headrace", "the release build")
	flags.StringVar(&s.dir, "dir", "bench-data", "folder for files and SQLite databases, on a real disk")
	flags.StringVar(&s.pgDir, "pgdir", "", "folder for the PostgreSQL cluster, reachable for the account postgres")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.stores = strings.Split(stores, ",")
	for _, store := range s.stores {
		if !slices.Contains([]string{"sqlite", "postgres"}, store) {
			return s, fmt.Errorf("no store %q: sqlite or postgres", store)
		}
	}
	if s.rows < 100 || s.runs < 1 {
		return s, errors.New("needs at least 100 rows and one run")
	}
	return s, nil
}

func run(ctx context.Context, s settings) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	s.dir = dir
	files, err := makeFiles(s)
	if err != nil {
		return err
	}
	var results []result
	for _, store := range s.stores {
		r, err := measureStore(ctx, s, store, files)
		if err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
		results = append(results, r...)
	}
	report(os.Stdout, ctx, s, files, results)
	return nil
}

// measureStore runs floor and product in turn on one kind of store.
func measureStore(ctx context.Context, s settings, store string, files files) ([]result, error) {
	rivals, done, err := open(ctx, s, store)
	if err != nil {
		return nil, err
	}
	defer done()
	load := result{store: store, what: "load"}
	delta := result{store: store, what: "delta"}
	// The first round is not counted: it pays for reading the file from the disk and for PostgreSQL's log files, which
	// later rounds find in memory and ready for reuse.
	if err := round(ctx, rivals, files, &result{}, &result{}); err != nil {
		return nil, err
	}
	for range s.runs {
		if err := round(ctx, rivals, files, &load, &delta); err != nil {
			return nil, err
		}
	}
	results := []result{load, delta}
	if !s.floors {
		scripted, err := measureScript(ctx, s, store, files, rivals)
		if err != nil {
			return nil, fmt.Errorf("script: %w", err)
		}
		results = append(results, scripted)
		night, err := measureNights(ctx, s, store, files, rivals)
		if err != nil {
			return nil, fmt.Errorf("night: %w", err)
		}
		results = append(results, night)
	}
	if store == "postgres" {
		source, err := measureSource(ctx, s, files, rivals)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		results = append(results, source...)
	}
	if s.scale && !s.floors {
		scale, err := measureScale(ctx, store, files, rivals)
		if err != nil {
			return nil, fmt.Errorf("scale: %w", err)
		}
		results = append(results, scale)
	}
	return results, nil
}

// round brings load and delta into empty targets, the rivals taking turns.
func round(ctx context.Context, rivals []rival, files files, load, delta *result) error {
	for _, r := range rivals {
		if err := r.fresh(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.name(), err)
		}
	}
	for _, step := range []struct {
		file *file
		into *result
	}{{&files.load, load}, {&files.delta, delta}} {
		for _, r := range rivals {
			m, err := measure(ctx, r, step.file)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.name(), step.file.name, err)
			}
			step.into.add(r.name(), m)
		}
	}
	return nil
}

// measureScript loads the file through the same map with and without a script per row, in turn.
func measureScript(ctx context.Context, s settings, store string, files files, rivals []rival) (result, error) {
	scripted := result{store: store, what: "script"}
	without, err := theProduct(rivals)
	if err != nil {
		return scripted, err
	}
	with := *without
	with.maps = scriptMap
	for range s.runs {
		for _, p := range []*product{without, &with} {
			if err := p.fresh(ctx); err != nil {
				return scripted, err
			}
			m, err := measure(ctx, p, &files.load)
			if err != nil {
				return scripted, err
			}
			if p == without {
				scripted.floor = append(scripted.floor, m)
			} else {
				scripted.product = append(scripted.product, m)
			}
		}
	}
	return scripted, nil
}

// measureScale loads the large file once with the product alone.
func measureScale(ctx context.Context, store string, files files, rivals []rival) (result, error) {
	scale := result{store: store, what: "scale"}
	for _, r := range rivals {
		if r.name() != productName {
			if err := r.clear(ctx); err != nil { // make room
				return scale, err
			}
			continue
		}
		if err := r.fresh(ctx); err != nil {
			return scale, err
		}
		m, err := measure(ctx, r, &files.large)
		if err != nil {
			return scale, err
		}
		scale.add(r.name(), m)
	}
	return scale, nil
}
