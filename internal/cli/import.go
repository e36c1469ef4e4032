package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

type importOptions struct {
	source  sourceFlags
	maps    mapFlags
	restart bool
	save    string
	plan    bool
	changes bool // exit code 5 when a plan has some
}

func (c *console) importCommand() *cobra.Command {
	o := &importOptions{}
	cmd := &cobra.Command{
		Use:   "import SRC",
		Short: "Bring a source into a table: staged, mapped, accounted for row by row",
		Long: `Reads SRC, keeps every row in staging, takes it through the transform map and writes the target table. SRC is a path,
- for standard input, an address (https:// sftp:// s3:// postgres:// mysql:// sqlserver:// sqlite:// rest+https://
table+https://) or the name of a saved data source, which has its own maps. Without --map, columns go to the fields whose
names say the same. The same import of the same bytes resumes its unfinished run.`,
		Example: "  headrace import servers.csv --into cmdb_ci_server --coalesce serial_number\n" +
			"  headrace import postgres://reader@db.example.com/assets --table servers --into cmdb_ci_server --coalesce serial_number\n" +
			"  headrace import export.json --path /result --map servers.yaml -o json",
		Args: exactly("SRC"),
	}
	f := cmd.Flags()
	o.source.add(f)
	o.maps.add(f)
	f.BoolVar(&o.restart, "restart", false, "begin anew even when an unfinished run could be resumed")
	f.BoolVar(&o.plan, "plan", false, "write nothing: show what would happen, row by row and field by field")
	f.BoolVar(&o.plan, "dry-run", false, "the same as --plan")
	f.StringVar(&o.save, "save", "", "write the map that was used, with --plan the plan, to this `FILE`")
	f.BoolVar(&o.changes, "detailed-exitcode", false, "with --plan: exit code 5 when something would change")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error { return c.runImport(ctx, a, args[0], o) })
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteImport(ctx, r, args[0], o) })
}

func (c *console) runImport(ctx context.Context, a *app.App, name string, o *importOptions) error {
	if !isPath(name) && !o.plan && o.maps.none() && o.source.none() && unpathed(name) != nil && saves(ctx, a, name) {
		return c.runSource(ctx, a, name, o.restart, false)
	}
	in, err := c.openInput(ctx, a, name, &o.source)
	if err != nil {
		return err
	}
	defer in.close()
	chosen, err := o.maps.choose(ctx, c, a, in)
	if err != nil {
		return err
	}
	for _, n := range chosen.Notes {
		c.note("  %s", n)
	}
	p := c.follow(in)
	defer p.done()
	req := importset.Request{Source: in.Source, Maps: chosen.Maps, Absent: chosen.Absent, Restart: o.restart, Actor: record.System, Progress: p.run,
		Notes: func(n string) { c.note("  %s", n) }}
	if o.plan {
		report, err := a.Plan(ctx, req, chosen.Made, o.save)
		p.done()
		return c.showPlan(report, err, o.changes)
	}
	if o.save != "" {
		if err := saveMaps(o.save, chosen.Maps); err != nil {
			return err
		}
	}
	if chosen.Made != nil {
		if _, err := a.DB.Define(ctx, record.System, false, *chosen.Made); err != nil {
			return err
		}
	}
	run, err := a.Imports.Import(ctx, req)
	p.done()
	return c.finish(ctx, a, run, err)
}

// saveMaps writes maps as YAML, whole or not at all.
func saveMaps(path string, defs []transform.Def) error {
	text, err := transform.Marshal(defs)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the map cannot be written")
	}
	return saveFile(path, text)
}

// saveFile writes beside the file first, so that a failure leaves an older file whole.
func saveFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return unsaved(path, err)
	}
	_, err = f.Write(text)
	return settleFile(f, path, err)
}

// settleFile gives a finished temporary file its name, or removes it when writing went wrong.
func settleFile(f *os.File, path string, err error) error {
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		return nil
	}
	return unsaved(path, errors.Join(err, os.Remove(f.Name())))
}

func unsaved(path string, err error) error {
	return fault.Wrap(fault.Unavailable, err, "%s cannot be written", path).WithHint("give a path in a folder that exists and can be written")
}

// finish shows how a run ended. A run that halted is told together with how to go on.
func (c *console) finish(ctx context.Context, a *app.App, run *importset.Run, err error) error {
	if run == nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	groups, failed := a.Imports.Reasons(ctx, run.Number)
	if failed != nil && err == nil {
		return failed
	}
	if err != nil {
		c.partial = v1.RunOf(run, groups)
		c.note("%s", strings.TrimRight(runLine(run), "\n"))
		return howToGoOn(run, err)
	}
	if run.Ledger.Rejected > 0 {
		c.code = exitRejected
	}
	if err := c.show(runAnswer(run, groups)); err != nil {
		return err
	}
	c.whatNow(run)
	return nil
}

func howToGoOn(run *importset.Run, err error) error {
	if run.State != importset.Halted && run.State != importset.Cancelled {
		return err
	}
	f := fault.Wrap(fault.KindOf(err), err, "run %d %s after %s rows", run.Number, run.State, importset.Thousands(run.Ledger.Read))
	if errors.Is(err, context.Canceled) {
		f = fault.New(fault.Canceled, "run %d was interrupted after %s rows", run.Number, importset.Thousands(run.Ledger.Read))
	}
	next := fmt.Sprintf("what is written stays; the same command goes on from there, so does: headrace run resume %d", run.Number)
	if hint := fault.HintOf(err); hint != "" {
		next = hint + "; " + next
	}
	return f.WithHint("%s", next)
}

func runAnswer(run *importset.Run, groups []*importset.Group) answer {
	row := runRow(run)
	return answer{value: v1.RunOf(run, groups), header: runHeader, rows: [][]string{row}, text: runLine(run) + mapLines(run) + absentLine(run.Absent) + groupLines(groups, run.Ledger)}
}

// runLine is a run in one line: number, state, equation, time.
func runLine(run *importset.Run) string {
	line := fmt.Sprintf("  run %d %-9s %s   %.1f s", run.Number, run.State, run.Ledger, run.Took.Seconds())
	if run.Resumed > 0 {
		line += fmt.Sprintf("   (resumed after %s rows)", importset.Thousands(run.Resumed))
	}
	return line + "\n"
}

// mapLines gives each map its equation where there are several.
func mapLines(run *importset.Run) string {
	if len(run.Maps) < 2 {
		return ""
	}
	var b strings.Builder
	for _, m := range run.Maps {
		fmt.Fprintf(&b, "    map %s into %s: %s\n", m.Map, m.Target, m.Ledger)
	}
	return b.String()
}

// groupLines lists why rows were skipped or rejected, one line a cause.
func groupLines(groups []*importset.Group, l importset.Ledger) string {
	width := len(importset.Thousands(max(l.Skipped, l.Rejected)))
	reasons := 0
	for _, g := range groups {
		reasons = max(reasons, len(g.Reason))
	}
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "    %-8s %*s %-*s  %s\n", g.Fate, width, importset.Thousands(g.Rows), reasons, g.Reason, cause(g))
	}
	return b.String()
}

// cause says where the rows of a group stand, what the first of them held, and how to mend it.
func cause(g *importset.Group) string {
	lines := make([]string, len(g.Lines))
	for i, n := range g.Lines {
		lines[i] = fmt.Sprint(n)
	}
	text := "line " + strings.Join(lines, ", ")
	if len(lines) > 1 {
		text = "lines " + strings.Join(lines, ", ")
	}
	if int64(len(lines)) < g.Rows {
		text += ", ..."
	}
	if e := g.Example; e != nil {
		why := reason(e)
		if first := "line " + lines[0]; strings.HasPrefix(why, first) {
			why = strings.TrimLeft(strings.TrimPrefix(why, first), ": ") // the message names its line itself
		}
		text += ": " + why
	}
	return oneLine(text, 400)
}

// reason is why a row cannot be used, with column and value where the message does not name them itself.
func reason(e *transform.Reject) string {
	var words []string
	if e.Column != "" && !strings.HasPrefix(e.Msg, e.Column+" ") {
		words = append(words, e.Column)
	}
	if value := fmt.Sprintf("%q", e.Value); e.Value != "" && !strings.Contains(e.Msg, value) {
		words = append(words, value)
	}
	text := strings.Join(append(words, e.Msg), " ")
	if e.Hint != "" {
		text += " -> " + e.Hint
	}
	return text
}

// whatNow says how to see and mend the rows that did not go in.
func (c *console) whatNow(run *importset.Run) {
	if run.State == importset.Done && run.Ledger.Read == 0 {
		c.note("  the source has no rows, only a header or nothing at the path")
	}
	if run.Ledger.Rejected == 0 || c.settings.Output != "table" {
		return
	}
	c.note("  see them    headrace run rows %d --fate rejected      (--save FILE writes them as they came, to mend and import)", run.Number)
	c.note("  try again   headrace run retry %d --map FIXED.yaml", run.Number)
}

func (m *mapFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&m.create, "create", false, "make the table from the data when it is not there")
	f.StringVar(&m.into, "into", "", "the target `TABLE`")
	f.StringVar(&m.file, "map", "", "transform maps from this YAML `FILE`, or by the name under which an earlier run used them")
	f.StringVar(&m.onDuplicate, "on-duplicate", "", "rows whose key an earlier row of the source has: skip (default), apply or reject")
	f.StringVar(&m.mode, "mode", "", "safe (default) or strict: the platform's behaviour to the letter")
	f.StringSliceVar(&m.coalesce, "coalesce", nil, "columns or fields that make the key by which records are found, `a,b`")
}
