// Command api measures the Table API against rivals on the same record shape, in turn and in one run: on the embedded
// store a plain PocketBase, as it is and with commits as durable as ours, on PostgreSQL a handler written by hand with net/http and pgx. It prints the ratios beside
// their budgets.
//
//	scripts/bench-api [-length 3s] [-n ROUNDS] [-only create] [-stores sqlite,postgres]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	rows        int
	rounds      int
	length      time.Duration // of one measurement
	stores      []string
	only        []string // what to measure; empty is everything
	bin         string   // the release build
	pocketbase  string   // bench/pocketbase, built
	handwritten string   // bench/handwritten, built
	dir         string
	database    string // an empty database of a PostgreSQL server
}

func main() {
	s, err := parse(os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, s, os.Stdout)
		stop()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench api:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	var stores, only string
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.IntVar(&s.rows, "rows", 10_000, "records in the table before it is measured")
	flags.IntVar(&s.rounds, "n", 3, "rounds, the median counts")
	flags.DurationVar(&s.length, "length", 3*time.Second, "length of one measurement")
	flags.StringVar(&stores, "stores", "sqlite,postgres", "stores to measure")
	flags.StringVar(&only, "only", "", "list, create, or both with a comma between: what to measure")
	flags.StringVar(&s.bin, "bin", "bin/headrace", "the release build")
	flags.StringVar(&s.pocketbase, "pocketbase", "bin/bench-pocketbase", "bench/pocketbase, built")
	flags.StringVar(&s.handwritten, "handwritten", "bin/bench-handwritten", "bench/handwritten, built")
	flags.StringVar(&s.dir, "dir", "bench-data", "folder for the stores, on a real disk")
	flags.StringVar(&s.database, "database", "", "postgres://... of an empty database")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.stores = strings.Split(stores, ",")
	if only != "" {
		s.only = strings.Split(only, ",")
	}
	if slices.Contains(s.stores, "postgres") && s.database == "" {
		return s, errors.New("-database is missing")
	}
	return s, nil
}

// load is one thing that is measured: what is asked for, on how many connections.
type load struct {
	what        string
	connections int
}

var loads = map[string][]load{
	"sqlite":   {{"list", 1}, {"list", 8}, {"list", 64}, {"create", 1}, {"create", 8}, {"create", 64}},
	"postgres": {{"list", 1}, {"list", 8}, {"list", 64}},
}

func run(ctx context.Context, s settings, out io.Writer) error {
	for _, store := range s.stores {
		servers, err := start(ctx, s, store)
		if err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
		err = measure(ctx, s, store, servers, out)
		if err = errors.Join(err, stopAll(servers)); err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
	}
	return nil
}

// measure takes product and rivals in turn through every load.
func measure(ctx context.Context, s settings, store string, servers []*server, out io.Writer) error {
	fmt.Fprintf(out, "\n%s: %d records x 12 fields, %d rounds of %s each, in turn; medians\n", store, s.rows, s.rounds, s.length)
	fmt.Fprintf(out, "%-12s %34s   %34s   %s\n", "", servers[0].name, "against", "ratio of requests/s, of p99")
	for _, l := range loads[store] {
		if len(s.only) > 0 && !slices.Contains(s.only, l.what) {
			continue
		}
		samples := make([][]sample, len(servers))
		for round := 0; round <= s.rounds; round++ {
			for i, server := range servers {
				got, err := drive(ctx, server, l, s.length)
				if err != nil {
					return fmt.Errorf("%s, %s on %d connections: %w", server.name, l.what, l.connections, err)
				}
				if round > 0 { // the first warms up
					samples[i] = append(samples[i], got)
				}
			}
		}
		for i, rival := range servers[1:] {
			line(out, store, l, rival.name, summarise(samples[0]), summarise(samples[i+1]))
		}
	}
	return nil
}

// Least requests a second against PocketBase, and least against the handler written by hand (1.5 times its time).
var budgets = map[string]float64{"sqlite": 1.5, "postgres": 1 / 1.5}

func line(out io.Writer, store string, l load, name string, product, rival summary) {
	rate, tail := product.rate/rival.rate, product.p99.Seconds()/rival.p99.Seconds()
	verdict := "ok"
	if rate < budgets[store] || store == "sqlite" && tail > 1 {
		verdict = "MISSED"
	}
	fmt.Fprintf(out, "%-6s %4d  %34s   %34s   %5.2f  %5.2f  (at least %.2f) %s, %s\n", l.what, l.connections, product, rival, rate, tail, budgets[store], verdict, name)
}
