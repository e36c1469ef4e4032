package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound/export"
)

func (c *console) exportCommand() *cobra.Command {
	return group("export", "Files that others read: write one, see what was delivered, deliver it again", c.exportListCommand(), c.exportRunCommand(),
		c.exportShowCommand(), c.exportReplayCommand(), c.exportCancelCommand())
}

var exportHeader = []string{"run", "set", "state", "file", "rows", "bytes", "attempts", "reason", "created", "next"}

func exportRow(r *export.Run) []string {
	return []string{r.ID, r.Set, string(r.State), r.FileName, strconv.FormatInt(r.Rows, 10), strconv.FormatInt(r.Bytes, 10), strconv.Itoa(r.Attempts), r.Reason,
		moment(r.Created), moment(r.NextTry)}
}

// exportView is an export run for json and yaml.
func exportView(r *export.Run) map[string]any {
	out := map[string]any{"id": r.ID, "set": r.Set, "sequence": r.Sequence, "state": r.State, "askedBy": r.AskedBy, "place": r.Place, "file": r.FileName, "rows": r.Rows,
		"bytes": r.Bytes, "sha256": r.SHA256, "since": r.Since, "high": r.High, "attempts": r.Attempts, "reason": r.Reason, "error": r.Error, "node": r.Node,
		"bytesKept": r.BytesKept, "created": moment(r.Created), "made": moment(r.Made), "nextTry": moment(r.NextTry), "completed": moment(r.Completed)}
	if r.Tries != nil {
		out["tries"] = r.Tries
	}
	return out
}

func exportDetails(r *export.Run) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "  %s  %s  %s\n", r.ID, r.Set, oneLine(r.FileName, widest))
	line("state", strings.TrimSpace(string(r.State)+"  "+r.Reason))
	line("error", oneLine(r.Error, 400))
	line("records", strconv.FormatInt(r.Rows, 10))
	line("bytes", strconv.FormatInt(r.Bytes, 10))
	line("sha256", r.SHA256)
	line("place", oneLine(r.Place, widest))
	line("since", r.Since)
	line("next", moment(r.NextTry))
	for _, try := range r.Tries {
		line("attempt "+strconv.Itoa(try.Number), fmt.Sprintf("%s  %d ms  %s  %s", moment(try.Started), try.Millis, try.Outcome, oneLine(try.Error, 400)))
	}
	return b.String()
}

// showExports shows runs one below the other, or, when one is all there is, that one in full.
func (c *console) showExports(runs []export.Run) error {
	out, values, text := answer{header: exportHeader}, []any{}, ""
	for i := range runs {
		out.rows = append(out.rows, exportRow(&runs[i]))
		values = append(values, exportView(&runs[i]))
		text += exportDetails(&runs[i])
	}
	out.value, out.text = values, text
	return c.show(out)
}

func (c *console) exportListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Runs of export sets, the newest first", Args: exactly(), Example: "  headrace export list --query state=dead"}
	where := cmd.Flags().String("query", "", "those that match an encoded `QUERY` of "+export.RunTable)
	limit := cmd.Flags().Int("limit", 100, "at most `N`; 0 is all")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		_, q, err := parseQuery(a, export.RunTable, *where)
		if err != nil {
			return err
		}
		return c.listExports(ctx, a, q.Where, *limit)
	})
	return cmd
}

func (c *console) listExports(ctx context.Context, a *app.App, where query.Node, limit int) error {
	runs, err := a.Exports.List(ctx, where, limit)
	if err != nil {
		return err
	}
	out, values := answer{header: exportHeader}, []any{}
	for i := range runs {
		out.rows = append(out.rows, exportRow(&runs[i]))
		values = append(values, exportView(&runs[i]))
	}
	out.value = values
	return c.show(out)
}

func (c *console) exportRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run NAME", Short: "Write the file of an export set and deliver it", Args: exactly("NAME"), Example: "  headrace export run servers"}
	full := cmd.Flags().Bool("full", false, "everything, also where the set is incremental")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		run, err := a.Exports.Start(ctx, export.Request{Name: args[0], Actor: record.System, Full: *full})
		if err != nil {
			if run != nil {
				c.partial = exportView(run)
			}
			return err
		}
		if run.State == export.Retry {
			c.note("  the file is not delivered yet: a server tries again, and so does this command")
		}
		return c.show(answer{value: exportView(run), header: exportHeader, rows: [][]string{exportRow(run)}, text: exportDetails(run)})
	})
	return cmd
}

func (c *console) exportShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show RUN", Short: "One export run with every attempt to deliver it", Args: exactly("RUN")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		run, err := a.Exports.Show(ctx, args[0])
		if err != nil {
			return err
		}
		return c.show(answer{value: exportView(run), header: exportHeader, rows: [][]string{exportRow(run)}, text: exportDetails(run)})
	})
	return cmd
}

func (c *console) exportReplayCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "replay RUN...", Short: "Deliver the files of finished runs again: the same bytes under the same name", Args: exactly("RUN", "[RUN...]"),
		Example: "  headrace export replay 0198f2"}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, ids []string) error {
		runs, err := a.Exports.Replay(ctx, ids...)
		if err != nil {
			return err
		}
		return c.showExports(runs)
	})
	return cmd
}

func (c *console) exportCancelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cancel RUN...", Short: "Give up export runs that have something left to do", Args: exactly("RUN", "[RUN...]")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, ids []string) error {
		runs, err := a.Exports.Cancel(ctx, ids...)
		if err != nil {
			return err
		}
		return c.showExports(runs)
	})
	return cmd
}
