package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

func (c *console) runAbsentCommand() *cobra.Command {
	var allow, dryRun bool
	cmd := c.numbered("absent RUN", "Records that the source of a run does not hold: what became of them; goes on where that was cut off", func(ctx context.Context, a *app.App, n int64) error {
		p := c.follow(nil)
		report, err := a.Imports.ResumeAbsent(ctx, importset.AbsentRequest{Run: n, Allow: allow, DryRun: dryRun, Actor: record.System, Progress: func(r *importset.AbsentReport) {
			p.rows(fmt.Sprintf("absent of run %d", n), r.Flagged+r.Deactivated+r.Deleted+r.Kept, 0)
		}})
		p.done()
		if err != nil {
			c.partial = report
			return err
		}
		return c.show(absentAnswer(report))
	})
	cmd.Long = `A data source with on_absent deals with such records after each complete reading, within absent_percent and
absent_rows. Beyond them nothing is touched, until somebody has looked: --dry-run shows some, --allow does it this once.`
	cmd.Flags().BoolVar(&allow, "allow", false, "whatever the limits say, this once")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen, change nothing")
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		n, err := runNumber(args[0])
		if err != nil {
			return err
		}
		var report importset.AbsentReport
		if err := r.post(ctx, fmt.Sprintf("/runs/%d/absent", n), map[string]bool{"allow": allow, "dry_run": dryRun}, &report); err != nil {
			return err
		}
		return c.show(absentAnswer(&report))
	})
}

func absentAnswer(r *importset.AbsentReport) answer {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	return answer{value: r, header: []string{"state", "records", "absent", "flagged", "deactivated", "deleted", "kept"},
		rows: [][]string{{r.State, n(r.Records), n(r.Absent), n(r.Flagged), n(r.Deactivated), n(r.Deleted), n(r.Kept)}}, text: absentLine(r) + absentDetails(r)}
}

// absentLine is what became of absent records, in one line under the run's; "" when nobody asked.
func absentLine(r *importset.AbsentReport) string {
	if r == nil {
		return ""
	}
	return "    " + oneLine(r.Line(), 400) + "\n"
}

func absentDetails(r *importset.AbsentReport) string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	for _, e := range r.Examples {
		fmt.Fprintf(&b, "      %s  %s\n", e.Record, oneLine(e.Display, 80))
	}
	if more := r.Absent - int64(len(r.Examples)); more > 0 && len(r.Examples) > 0 {
		fmt.Fprintf(&b, "      and %s more\n", importset.Thousands(more))
	}
	shown := r.List[:min(len(r.List), shownRefusals)]
	for _, k := range shown {
		fmt.Fprintf(&b, "      kept     %s %s: %s\n", k.Table, k.Record, oneLine(k.Why, 200))
	}
	return b.String()
}
