package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/importset"
)

func (c *console) runCommand() *cobra.Command {
	return group("run", "Import runs: what they did, and what to do about it", c.runListCommand(), c.runShowCommand(), c.runRowsCommand(),
		c.runRetryCommand(), c.runResumeCommand(), c.runCancelCommand(), c.runAbsentCommand())
}

// numbered is work on one run.
func (c *console) numbered(use, short string, do func(ctx context.Context, a *app.App, n int64) error) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: exactly("RUN")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		n, err := runNumber(args[0])
		if err != nil {
			return err
		}
		return do(ctx, a, n)
	})
	return cmd
}

func runNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "%q is not the number of a run", text).WithHint("`headrace run list` shows the runs")
	}
	return n, nil
}

var runHeader = []string{"run", "state", "source", "target", "read", "inserted", "updated", "unchanged", "skipped", "rejected", "pending", "seconds", "started"}

func runRow(r *importset.Run) []string {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	l := r.Ledger
	return []string{n(r.Number), string(r.State), r.Source, r.Target, n(l.Read), n(l.Inserted), n(l.Updated), n(l.Unchanged), n(l.Skipped),
		n(l.Rejected), n(l.Pending), strconv.FormatFloat(r.Took.Seconds(), 'f', 1, 64), r.Started.UTC().Format("2006-01-02T15:04:05Z")}
}

func (c *console) runListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All runs, oldest first", Args: exactly()}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		runs, err := a.Imports.Runs(ctx)
		if err != nil {
			return err
		}
		out := answer{header: runHeader}
		values := []v1.Run{}
		for _, r := range runs {
			values = append(values, v1.RunOf(r, nil))
			out.rows = append(out.rows, runRow(r))
		}
		out.value = values
		return c.show(out)
	})
	return c.onServer(cmd, c.remoteRuns)
}

func (c *console) runShowCommand() *cobra.Command {
	cmd := c.numbered("show RUN", "One run: its equation, and why rows were skipped or rejected", func(ctx context.Context, a *app.App, n int64) error {
		run, err := a.Imports.Run(ctx, n)
		if err != nil {
			return err
		}
		groups, err := a.Imports.Reasons(ctx, n)
		if err != nil {
			return err
		}
		out := runAnswer(run, groups)
		out.text += absentDetails(run.Absent) + runDetails(run)
		return c.show(out)
	})
	return c.onServer(cmd, c.remoteShow)
}

func runDetails(run *importset.Run) string {
	text := "    source   " + run.Source + " (" + run.Format + ")\n"
	for _, m := range run.Maps {
		text += "    map      " + m.Map + " into " + m.Target + "\n"
	}
	text += "    started  " + run.Started.UTC().Format("2006-01-02T15:04:05Z") + "\n"
	if run.Message != "" {
		text += "    message  " + oneLine(run.Message, 400) + "\n"
	}
	return text
}

func (c *console) runCancelCommand() *cobra.Command {
	cmd := c.numbered("cancel RUN", "Stop a run after the batch in hand; it can be resumed", func(ctx context.Context, a *app.App, n int64) error {
		run, err := a.Imports.Cancel(ctx, n)
		if err != nil {
			return err
		}
		return c.show(runAnswer(run, nil))
	})
	return c.onServer(cmd, c.remoteAct("cancel"))
}
