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
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

func (c *console) showPlan(r *importset.PlanReport, err error, detailed bool) error {
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		c.note("  %s", n)
	}
	switch {
	case detailed && r.HasChanges():
		c.code = exitChanges
	case r.Ledger.Rejected > 0:
		c.code = exitRejected
	}
	return c.show(planAnswer(r))
}

// planResult is a plan as programs see it: flat like a run.
type planResult struct {
	State string `json:"state"`
	importset.Ledger
	*importset.PlanReport
	Maps []importset.MapRun `json:"maps,omitempty"`
}

func planAnswer(r *importset.PlanReport) answer {
	value := planResult{State: "planned", Ledger: r.Ledger, PlanReport: r}
	if len(r.Maps) > 1 {
		value.Maps = r.Maps
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  plan            %s   (nothing written)\n", r.Ledger)
	b.WriteString(mapLines(&importset.Run{Maps: r.Maps}))
	if r.Absent != nil {
		b.WriteString(absentLine(r.Absent) + absentDetails(r.Absent))
	}
	b.WriteString(groupLines(r.Groups, r.Ledger))
	for _, table := range slices.Sorted(maps.Keys(r.Created)) {
		fmt.Fprintf(&b, "    also creates %s records of %s, which rows refer to\n", importset.Thousands(r.Created[table]), table)
	}
	b.WriteString(changeLines(r))
	if r.Path != "" {
		fmt.Fprintf(&b, "    saved as %s; headrace apply %s does exactly this\n", r.Path, r.Path)
	}
	l, n := r.Ledger, func(v int64) string { return strconv.FormatInt(v, 10) }
	return answer{value: value, text: b.String(), header: []string{"read", "inserted", "updated", "unchanged", "skipped", "rejected"},
		rows: [][]string{{n(l.Read), n(l.Inserted), n(l.Updated), n(l.Unchanged), n(l.Skipped), n(l.Rejected)}}}
}

// changeLines shows the first records that would change, old and new.
func changeLines(r *importset.PlanReport) string {
	var b strings.Builder
	for _, change := range r.Changes {
		var fields []string
		for _, f := range change.Fields {
			fields = append(fields, fmt.Sprintf("%s %s -> %s", f.Field, side(f.Old), side(f.New)))
		}
		b.WriteString(oneLine(fmt.Sprintf("    line %d %s  %s", change.Line, change.Key, strings.Join(fields, ", ")), 200) + "\n")
	}
	if more := r.Ledger.Updated - int64(len(r.Changes)); more > 0 && len(r.Changes) > 0 {
		fmt.Fprintf(&b, "    and %s more updates\n", importset.Thousands(more))
	}
	return b.String()
}

func side(v *string) string {
	if v == nil {
		return "empty"
	}
	return strconv.Quote(*v)
}

func (c *console) applyCommand() *cobra.Command {
	var restart bool
	cmd := &cobra.Command{Use: "apply PLAN", Short: "Do exactly what a saved plan says; rows whose record changed since are refused and listed", Args: exactly("PLAN")}
	cmd.Flags().BoolVar(&restart, "restart", false, "begin anew even when an unfinished run of this plan could be resumed")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		return c.apply(ctx, a, importset.ApplyRequest{Path: args[0], Restart: restart, Actor: record.System})
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteApply(ctx, r, args[0], restart)
	})
}

func (c *console) apply(ctx context.Context, a *app.App, req importset.ApplyRequest) error {
	p := c.follow(nil)
	req.Progress = p.run
	run, err := a.Imports.Apply(ctx, req)
	p.done()
	return c.finish(ctx, a, run, err)
}
