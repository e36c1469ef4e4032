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

func (c *console) undoCommand() *cobra.Command {
	var dryRun bool
	cmd := c.numbered("undo RUN", "Take a run back: what it inserted is removed, what it changed gets its old values", func(ctx context.Context, a *app.App, n int64) error {
		p := c.follow(nil)
		report, err := a.Imports.Undo(ctx, importset.UndoRequest{Run: n, DryRun: dryRun, Actor: record.System, Progress: func(u *importset.UndoReport) {
			p.rows(fmt.Sprintf("undo of run %d", n), u.Removed+u.Restored+u.Refused, 0)
		}})
		p.done()
		if err != nil {
			c.partial = report
			return err
		}
		if report.Refused > 0 {
			c.code = exitRejected
		}
		return c.show(undoAnswer(report, dryRun))
	})
	cmd.Long = "Records that somebody changed since are left as they are, and listed."
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would happen, change nothing")
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteUndo(ctx, r, args[0], dryRun)
	})
}

// shownRefusals is how many refusals people see; -o json lists more.
const shownRefusals = 10

func undoAnswer(u *importset.UndoReport, dryRun bool) answer {
	var b strings.Builder
	state := "undone"
	if dryRun {
		state = "would be undone"
	}
	fmt.Fprintf(&b, "  run %d %s    %s removed, %s restored, %s refused\n", u.Run, state, importset.Thousands(u.Removed),
		importset.Thousands(u.Restored), importset.Thousands(u.Refused))
	shown := u.List[:min(len(u.List), shownRefusals)]
	for _, r := range shown {
		fmt.Fprintf(&b, "    refused  %s %s: %s\n", r.Table, r.Record, r.Why)
	}
	if more := u.Refused - int64(len(shown)); more > 0 {
		fmt.Fprintf(&b, "    and %s more; -o json lists them\n", importset.Thousands(more))
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	value := struct {
		*importset.UndoReport
		DryRun bool `json:"dry_run"`
	}{u, dryRun}
	return answer{value: value, header: []string{"run", "removed", "restored", "refused"},
		rows: [][]string{{n(u.Run), n(u.Removed), n(u.Restored), n(u.Refused)}}, text: b.String()}
}
