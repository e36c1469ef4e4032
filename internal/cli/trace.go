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
)

func (c *console) traceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "trace TABLE:ID|NUMBER", Short: "Where a record comes from: runs, rows, lines, and what each changed", Args: exactly("TABLE:ID|NUMBER"),
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
		return c.show(traceAnswer(r, origins))
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

func traceAnswer(r *record.Record, origins []importset.Origin) answer {
	out := answer{header: []string{"at", "operation", "actor", "run", "source", "line", "field", "old"},
		value: map[string]any{"table": r.Table.Name, "sys_id": r.ID(), "display": r.Display(), "origins": origins}}
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
	out.text = b.String()
	return out
}
