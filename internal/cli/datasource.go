package cli

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

// none reports whether nothing is said of the source.
func (s *sourceFlags) none() bool {
	return s.format == "" && len(s.given()) == 0 && s.user == "" && s.credential == ""
}

// maySave reports whether a name can be that of a saved data source: there is no such file, and there is a store. Looking
// at a file leaves no store behind.
func (c *console) maySave(name string) bool {
	if isPath(name) || datasource.IsAddress(name) {
		return false
	}
	if c.settings.Database != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(c.settings.Data, app.DatabaseFile))
	return err == nil
}

// openAgain opens what an unfinished run read.
func (c *console) openAgain(ctx context.Context, a *app.App, stored *importset.Stored) (*input, error) {
	flags := &sourceFlags{format: stored.Format, options: stored.Options}
	if !datasource.IsAddress(stored.Source) {
		return c.openPath(ctx, stored.Source, stored.Format, stored.Options)
	}
	if _, err := app.FormatNamed(stored.Format); err != nil {
		flags.format = "" // the kind of a source of rows
	} else if stored.Options["path"] != "" && len(stored.Options) == 1 {
		return nil, fault.New(fault.Refused, "the rows of %s are not kept", stored.Source).WithHint("the command that began the run goes on with it")
	}
	return c.openInput(ctx, a, strings.TrimSuffix(stored.Source, tableSuffix(stored.Options)), flags)
}

// tableSuffix is what the name of a database's run has behind the address.
func tableSuffix(o format.Options) string {
	if o["table"] == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(o["table"], ".", "/")
}

func (c *console) sourceCommand() *cobra.Command {
	return group("source", "Saved data sources: where data is, how it is reached, and how they are", c.sourceListCommand(), c.sourceShowCommand(),
		c.sourceTestCommand(), c.sourceSampleCommand(), c.sourceRunCommand(), c.sourceCreateCommand())
}

func (c *console) sourceCreateCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{Use: "create NAME URL [FIELD=VALUE...]", Short: "Save a data source; the fields are those of " + datasource.SourceTable, Args: exactly("NAME", "URL", "[FIELD=VALUE...]"),
		Example: "  headrace source create nightly sftp://feeds@files.example.com/out/servers_*.csv import_set_table_name=imp_server credential=feeds done_folder=done"}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show it, keep nothing")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		values, err := assignments(args[2:])
		if err != nil {
			return err
		}
		values = append([]record.Assignment{{Field: "name", Value: record.Text(args[0])}, {Field: "connection_url", Value: record.Text(args[1])}}, values...)
		t, err := a.DB.Table(datasource.SourceTable)
		if err != nil {
			return err
		}
		var r *record.Record
		if err := change(ctx, a, dryRun, func(w *record.Writer) error { r, err = w.Insert(ctx, t, values); return err }); err != nil {
			return err
		}
		return c.showMade(r)
	})
	return cmd
}

var sourceHeader = []string{"name", "active", "kind", "at", "staging", "state", "last success", "message"}

func sourceRow(v *datasource.Listed) []string {
	return []string{v.Name, strconv.FormatBool(v.Active), v.Kind, v.At, v.Staging, v.State, v.LastSuccess, oneLine(v.Message, 100)}
}

func (c *console) sourceListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All saved data sources, and how they are", Args: exactly()}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		all, err := a.Sources.List(ctx)
		if err != nil {
			return err
		}
		return c.show(sourcesAnswer(all))
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, _ []string) error {
		var all v1.Page[*datasource.Listed]
		if err := r.get(ctx, "/data-sources", &all); err != nil {
			return err
		}
		return c.show(sourcesAnswer(all.Items))
	})
}

func sourcesAnswer(all []*datasource.Listed) answer {
	out := answer{value: all, header: sourceHeader}
	for _, v := range all {
		out.rows = append(out.rows, sourceRow(v))
	}
	return out
}

func (c *console) sourceShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "One data source: its settings, its state, and what became of its files", Args: exactly("NAME")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		shown, err := a.Sources.Describe(ctx, args[0])
		if err != nil {
			return err
		}
		return c.show(shownAnswer(shown))
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		var shown datasource.Shown
		if err := r.get(ctx, "/data-sources/"+url.PathEscape(args[0]), &shown); err != nil {
			return err
		}
		return c.show(shownAnswer(&shown))
	})
}

func shownAnswer(s *datasource.Shown) answer {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s  %s\n", s.Name, s.At)
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		fmt.Fprintf(&b, "    %-26s %s\n", name, oneLine(s.Settings[name], widest))
	}
	fmt.Fprintf(&b, "    %-26s %s\n", "state", strings.TrimSpace(s.State+"  "+oneLine(s.Message, widest)))
	for _, a := range s.Alerts {
		fmt.Fprintf(&b, "    alert %-11s %s\n", a.Kind, oneLine(a.Message, 200))
	}
	for _, f := range s.Files {
		line := fmt.Sprintf("    file  %-11s %s  %s bytes", f.State, f.Path, importset.Thousands(f.Size))
		if f.Run > 0 {
			line += fmt.Sprintf("  run %d", f.Run)
		}
		if f.Reason != "" {
			line += "  " + oneLine(f.Reason, 200)
		}
		b.WriteString(line + "\n")
	}
	return answer{value: s, header: sourceHeader, rows: [][]string{sourceRow(&s.Listed)}, text: b.String()}
}

func (c *console) sourceTestCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "test NAME", Short: "Try what a data source needs, and say what is wrong; nothing is written", Args: exactly("NAME"),
		Example: "  headrace source test nightly\n  headrace source test nightly --accept     (pins the key that the SFTP host shows)"}
	accept := cmd.Flags().Bool("accept", false, "pin the key that the host shows at this first contact")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		checked, err := a.Sources.Test(ctx, args[0])
		if err == nil && *accept && checked.HostKey != "" {
			if err := a.Sources.Accept(ctx, record.System, args[0], checked.HostKey); err != nil {
				return err
			}
			c.note("  %s is pinned", checked.HostKey)
			checked, err = a.Sources.Test(ctx, args[0])
		}
		if err != nil {
			return err
		}
		return c.showChecked(checked)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		var checked datasource.Checked
		if err := r.post(ctx, "/data-sources/"+url.PathEscape(args[0])+"/test", map[string]bool{"accept": *accept}, &checked); err != nil {
			return err
		}
		return c.showChecked(&checked)
	})
}

// showChecked shows the steps of a test, whose failure is that of the command.
func (c *console) showChecked(k *datasource.Checked) error {
	out := answer{value: k, header: []string{"step", "ok", "detail", "hint"}}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s  %s\n", k.Name, k.At)
	for _, s := range k.Steps {
		out.rows = append(out.rows, []string{s.What, strconv.FormatBool(s.OK), s.Detail, s.Hint})
		mark := "ok"
		if !s.OK {
			mark = "--"
		}
		fmt.Fprintf(&b, "    %s  %-10s %s\n", mark, s.What, oneLine(s.Detail, 400))
		if s.Hint != "" {
			fmt.Fprintf(&b, "                   -> %s\n", oneLine(s.Hint, 400))
		}
	}
	for _, w := range k.Warnings {
		fmt.Fprintf(&b, "    !!  %s\n", oneLine(w, 400))
	}
	if k.HostKey != "" {
		fmt.Fprintf(&b, "        the host shows %s; if that is its key: headrace source test %s --accept\n", k.HostKey, k.Name)
	}
	out.text = b.String()
	if !k.OK {
		c.code = exitFailed
	}
	return c.show(out)
}

// sampleRows is how many rows a sample has when nothing is said.
const sampleRows = 20

func (c *console) sourceSampleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sample NAME", Short: "The first rows of a data source, as they come; nothing is written", Args: exactly("NAME")}
	n := cmd.Flags().Int("rows", sampleRows, "at most `N` rows")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		s, err := a.Sources.Sample(ctx, args[0], max(*n, 1))
		if err != nil {
			return err
		}
		return c.showSample(s.Columns, v1.SampleRows(s), s.Notes)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		var s v1.Sample
		if err := r.get(ctx, fmt.Sprintf("/data-sources/%s/sample?rows=%d", url.PathEscape(args[0]), *n), &s); err != nil {
			return err
		}
		return c.showSample(s.Columns, s.Rows, s.Notes)
	})
}

func (c *console) showSample(columns []string, rows [][]*string, notes []string) error {
	out := answer{header: columns}
	values := []map[string]*string{}
	for _, row := range rows {
		cells, value := make([]string, len(row)), map[string]*string{}
		for i, v := range row {
			if v != nil {
				cells[i] = *v
			}
			value[columns[i]] = v
		}
		out.rows, values = append(out.rows, cells), append(values, value)
	}
	out.value = values
	for _, n := range notes {
		c.note("  %s", n)
	}
	return c.show(out)
}

func (c *console) sourceRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run NAME", Short: "Bring in what is new of a data source; the same as `headrace import NAME`", Args: exactly("NAME")}
	restart := cmd.Flags().Bool("restart", false, "begin anew: files that were imported are imported again, unfinished runs are not resumed")
	accept := cmd.Flags().Bool("accept", false, "whatever differs from the contract is agreed on from now")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		return c.runSource(ctx, a, args[0], *restart, *accept)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteSource(ctx, r, args[0], *restart, *accept)
	})
}

// runSource brings in a saved data source.
func (c *console) runSource(ctx context.Context, a *app.App, name string, restart, accept bool) error {
	p := c.follow(nil)
	defer p.done()
	result, err := a.Sources.Run(ctx, datasource.Request{Name: name, Actor: record.System, Restart: restart, Accept: accept, Progress: p.run,
		Notes: func(n string) { c.note("  %s", n) }})
	p.done()
	if result == nil {
		return err
	}
	groups := make([][]*importset.Group, len(result.Runs))
	for i, run := range result.Runs {
		var failed error
		if groups[i], failed = a.Imports.Reasons(context.WithoutCancel(ctx), run.Number); failed != nil && err == nil {
			err = failed
		}
	}
	told := v1.ResultOf(result, groups)
	if err != nil {
		c.partial = told
		if text := strings.TrimRight(sourceResultText(told), "\n"); text != "" {
			c.note("%s", text)
		}
		if n := len(result.Runs); n > 0 {
			return howToGoOn(result.Runs[n-1], err)
		}
		return err
	}
	return c.showResult(told)
}

// showResult shows what bringing in a data source came to.
func (c *console) showResult(r *v1.SourceResult) error {
	out := answer{value: r, header: runHeader, text: sourceResultText(r)}
	for _, told := range r.Runs {
		run := runFrom(told)
		out.rows = append(out.rows, runRow(run))
		if run.Ledger.Rejected > 0 {
			c.code = exitRejected
		}
	}
	if err := c.show(out); err != nil {
		return err
	}
	if n := len(r.Runs); n > 0 {
		c.whatNow(runFrom(r.Runs[n-1]))
	}
	return nil
}

func sourceResultText(r *v1.SourceResult) string {
	var b strings.Builder
	for _, d := range r.Drift {
		b.WriteString("  drift     " + d.Line() + "\n")
	}
	for _, f := range r.Files {
		line := fmt.Sprintf("  %-9s %s", f.State, f.Path)
		if f.Reason != "" {
			line += "  " + oneLine(f.Reason, 200)
		}
		b.WriteString(line + "\n")
	}
	for _, told := range r.Runs {
		run := runFrom(told)
		b.WriteString(runLine(run) + mapLines(run) + absentLine(run.Absent) + groupLines(told.Reasons, run.Ledger))
	}
	switch {
	case r.State == datasource.StateNothing:
		b.WriteString("  nothing new\n")
	case r.State == datasource.StateWaiting:
		fmt.Fprintf(&b, "  nothing ready: %s\n", oneLine(r.Message, 400))
	}
	if r.Mark != "" {
		fmt.Fprintf(&b, "  the next reading goes on at %s\n", r.Mark)
	}
	return b.String()
}
