package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// result is what was measured for one line of the table.
type result struct {
	store, what    string
	floor, product []measurement
}

func (r *result) add(name string, m measurement) {
	if name == floorName {
		r.floor = append(r.floor, m)
	} else {
		r.product = append(r.product, m)
	}
}

// budget is the most a ratio may be, and the goal after that.
type budget struct{ limit, goal float64 }

var budgets = map[string]budget{
	"load sqlite": {1.0, 0.8}, "delta sqlite": {0.8, 0.5},
	"load postgres": {1.4, 1.15}, "delta postgres": {1.2, 0.8},
	"script sqlite": {1.3, 1.15}, "script postgres": {1.3, 1.15}, // times the product's own time without the script
	"source postgres": {1.3, 1.15},
	"night sqlite":    {0.40, 0.25}, // times the product's own time for the load behind which it comes
	"night postgres":  {0.40, 0.25}, "night source": {0.40, 0.25},
	"scale": {12, 11}, // times the product's own time for a tenth of the rows
}

// Resident memory, in bytes.
const (
	memoryLimit = 300 << 20
	memoryGoal  = 200 << 20
)

func report(w io.Writer, ctx context.Context, s settings, fs files, results []result) {
	fmt.Fprintf(w, "\n%d rows x 12 columns, %d MB; %d runs each, in turn; medians (fastest to slowest)\n", fs.load.rows, fs.load.bytes/1e6, s.runs)
	fmt.Fprintf(w, "%d cores; %s; sqlite3 %s\n", runtime.NumCPU(), version(ctx, "psql"), version(ctx, "sqlite3"))
	fmt.Fprintf(w, "sqlite floor: WAL, %s temporary stage, ON CONFLICT .. WHERE\n", sqlitePragmas)
	fmt.Fprintf(w, "postgres: %s, CHECKPOINT before each run; floor: temporary stage, MERGE\n", strings.Join(serverSettings, ", "))
	fmt.Fprintf(w, "source: a table of another database on the same server; floor: \\copy out and in through a pipe, then the same\n")
	fmt.Fprintf(w, "script, night: beside the product's own load without a script, and before one row in a hundred was changed\n\n")
	fmt.Fprintf(w, "%-15s  %-34s  %-34s  %6s  %6s  %6s\n", "", "floor", productName, "ratio", "budget", "goal")
	for _, r := range results {
		if r.what != "scale" {
			line(w, r.what+" "+r.store, r.floor, r.product, ratio(r.floor, r.product), budgets[r.what+" "+r.store])
		}
	}
	for _, r := range results {
		if r.what == "scale" {
			one := find(results, r.store, "load").product
			line(w, "scale "+r.store, one, r.product, ratio(one, r.product), budgets["scale"])
		}
	}
	memory(w, results)
}

func line(w io.Writer, name string, base, product []measurement, ratio float64, b budget) {
	if len(product) == 0 {
		fmt.Fprintf(w, "%-15s  %-34s\n", name, spread(base))
		return
	}
	fmt.Fprintf(w, "%-15s  %-34s  %-34s  %6.2f  %6.2f  %6.2f  %s\n", name, spread(base), spread(product), ratio, b.limit, b.goal, verdict(ratio, b))
}

func memory(w io.Writer, results []result) {
	var most int64
	for _, r := range results {
		for _, m := range r.product {
			most = max(most, m.bytes)
		}
	}
	if most == 0 {
		return
	}
	fmt.Fprintf(w, "%-15s  %-34s  %-34s  %6s  %6d  %6d  %s\n", "memory", "", fmt.Sprintf("at most %d MB resident", most>>20), "",
		memoryLimit>>20, memoryGoal>>20, verdict(float64(most), budget{memoryLimit, memoryGoal}))
}

func verdict(got float64, b budget) string {
	switch {
	case got <= b.goal:
		return "goal met"
	case got <= b.limit:
		return "ok"
	}
	return "MISSED"
}

func find(results []result, store, what string) result {
	for _, r := range results {
		if r.store == store && r.what == what {
			return r
		}
	}
	return result{}
}

func seconds(ms []measurement) []float64 {
	out := make([]float64, len(ms))
	for i, m := range ms {
		out[i] = m.seconds
	}
	slices.Sort(out)
	return out
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func ratio(base, product []measurement) float64 {
	if len(base) == 0 || len(product) == 0 {
		return 0
	}
	return median(seconds(product)) / median(seconds(base))
}

// spread renders runs as median, range and rows per second.
func spread(ms []measurement) string {
	s := seconds(ms)
	mid := median(s)
	return fmt.Sprintf("%.2f s (%.2f to %.2f) %.0fk/s", mid, s[0], s[len(s)-1], float64(ms[0].rows)/mid/1000)
}

// version is the first line that a tool prints of itself, up to the first word behind its number.
func version(ctx context.Context, tool string) string {
	out, err := exec.CommandContext(ctx, tool, "--version").Output()
	if err != nil {
		return tool + " absent"
	}
	words := strings.Fields(string(out))
	if tool == "sqlite3" {
		words = words[:1]
	}
	return strings.Join(words, " ")
}
