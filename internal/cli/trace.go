package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound/trace"
)

func (c *console) traceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "trace TABLE:ID|NUMBER", Short: "Where a record comes from, and what its changes led to: rules, events, handlers, calls, answers", Args: exactly("TABLE:ID|NUMBER"),
		Example: "  headrace trace cmdb_ci_server:ber-db-0417"}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		r, err := traced(ctx, a, args[0])
		if err != nil {
			return err
		}
		origins, err := a.Imports.Provenance(ctx, r.Table, r.ID())
		if err != nil {
			return err
		}
		changes, err := a.Trace(ctx, r.ID())
		if err != nil {
			return err
		}
		return c.show(traceAnswer(r, origins, changes))
	})
	return cmd
}

// traced finds the record that is meant: TABLE:ID, or a number that a table with a field number has.
func traced(ctx context.Context, a *app.App, target string) (*record.Record, error) {
	if table, id, found := strings.Cut(target, ":"); found {
		return findRecord(ctx, a, table, id)
	}
	for _, name := range a.DB.Catalog().Names() {
		t := a.DB.Catalog().Table(name)
		if t.Bare || t.Field("number") == nil || t.DisplayField().Name != "number" {
			continue
		}
		r, err := findRecord(ctx, a, name, target)
		if fault.KindOf(err) != fault.NotFound || err == nil {
			return r, err
		}
	}
	return nil, fault.New(fault.NotFound, "no record has the number %q", target).WithHint("name it as TABLE:SYS_ID, or TABLE: and what is displayed of it")
}

func traceAnswer(r *record.Record, origins []importset.Origin, changes []trace.Change) answer {
	out := answer{header: []string{"at", "operation", "actor", "run", "source", "line", "field", "old"},
		value: map[string]any{"table": r.Table.Name, "sys_id": r.ID(), "display": r.Display(), "origins": origins, "changes": changes}}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %s  %s\n", r.Table.Name, r.ID(), oneLine(r.Display(), widest))
	for _, o := range origins {
		from := "by " + o.Actor
		if o.Run > 0 {
			from = fmt.Sprintf("run %d, %s line %d", o.Run, o.Source, o.Line)
		}
		at := o.At.UTC().Format("2006-01-02T15:04:05Z")
		fmt.Fprintf(&b, "  %s  %-6s  %s\n", at, o.Operation, from)
		row := []string{at, o.Operation, o.Actor, strconv.FormatInt(o.Run, 10), o.Source, strconv.FormatInt(o.Line, 10), "", ""}
		if len(o.Fields) == 0 {
			out.rows = append(out.rows, row)
		}
		for _, field := range slices.Sorted(maps.Keys(o.Fields)) {
			fmt.Fprintf(&b, "    %s was %q\n", field, oneLine(o.Fields[field], widest))
			out.rows = append(out.rows, append(slices.Clone(row[:6]), field, o.Fields[field]))
		}
	}
	for i := range changes {
		chainText(&b, r, &changes[i])
	}
	out.text = b.String()
	return out
}

// chainText writes what a change led to, a line for each link.
func chainText(b *strings.Builder, r *record.Record, c *trace.Change) {
	line := func(kind, format string, args ...any) {
		fmt.Fprintf(b, "  %-8s %s\n", kind, fmt.Sprintf(format, args...))
	}
	if len(c.Rules)+len(c.Events)+len(c.Runs)+len(c.Deliveries) == 0 {
		return
	}
	line("change", "%s by %s, %s", c.Operation, c.Actor, c.At.UTC().Format("2006-01-02T15:04:05Z"))
	for _, rule := range c.Rules {
		line("rule", "%s (%s, %d)  %s%s", rule.Name, rule.When, rule.Order, rule.Outcome, orNothing(": ", rule.Why))
	}
	for _, e := range c.Events {
		line("event", "%s  %s, committed with the record%s", e.Name, e.State, orNothing("; ", e.Note))
		for _, h := range e.Runs {
			line("action", "%s -> %s  %s", e.Name, h.Name, handled(h))
		}
	}
	for _, h := range c.Runs {
		line("async", "%s  %s", h.Name, handled(h))
	}
	for i := range c.Deliveries {
		callText(line, r, &c.Deliveries[i])
	}
}

func handled(h trace.HandlerRun) string {
	if h.Attempts < 2 {
		return h.State + orNothing(": ", h.Error)
	}
	return fmt.Sprintf("%s after %d attempts%s", h.State, h.Attempts, orNothing(": ", h.Error))
}

func orNothing(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}

func callText(line func(kind, format string, args ...any), r *record.Record, d *trace.Delivery) {
	var tries []string
	for _, a := range d.Attempts {
		if a.Status > 0 {
			tries = append(tries, strconv.Itoa(a.Status))
		} else {
			tries = append(tries, a.Outcome)
		}
	}
	took := ""
	if len(tries) > 0 {
		took = fmt.Sprintf(" in %.1f s", d.Took().Seconds())
	}
	line("delivery", "%s %s  %s%s  %s%s%s", d.Method, d.Endpoint, strings.Join(tries, ", "), took, d.State, orNothing("  key ", short(d.Key)), orNothing(": ", d.Error))
	for _, c := range d.Wrote {
		line("answer", "%s %s -> %s %s", orNothing("import set ", d.ImportSet), d.Rows, c.Operation+" "+c.Table, wrote(r, c))
	}
	if len(d.Wrote) == 0 && d.ImportSet != "" {
		line("answer", "import set %s %s: nothing changed", d.ImportSet, d.Rows)
	}
}

// wrote tells what an answer set: the values as they are now where it is the record itself.
func wrote(r *record.Record, c trace.Change) string {
	if c.Record != r.ID() {
		return c.Record
	}
	var parts []string
	for _, field := range slices.Sorted(maps.Keys(c.Old)) {
		parts = append(parts, field+" = "+oneLine(r.Get(field).Text, widest))
	}
	return strings.Join(parts, ", ")
}

func short(key string) string { return key[:min(len(key), 6)] }
