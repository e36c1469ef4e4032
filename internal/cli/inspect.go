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
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

type inspectOptions struct {
	source sourceFlags
	key    []string
	into   string
	save   string
}

func (c *console) inspectCommand() *cobra.Command {
	o := &inspectOptions{}
	cmd := &cobra.Command{Use: "inspect SRC", Short: "Look at a source before it goes anywhere: dialect, columns, types, and whether a key is one",
		Example: "  headrace inspect servers.csv --key serial_number --into cmdb_ci_server --save map.yaml", Args: exactly("SRC")}
	f := cmd.Flags()
	o.source.add(f)
	f.StringSliceVar(&o.key, "key", nil, "a proposed key: columns of the source or fields of the target, `a,b`")
	f.StringSliceVar(&o.key, "coalesce", nil, "the same as --key")
	f.StringVar(&o.into, "into", "", "the `TABLE` that it is meant for: does the key match there, and how often?")
	f.StringVar(&o.save, "save", "", "write a map to begin with to this YAML `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.into != "" || len(args) > 0 && c.maySave(args[0]) {
			return c.withApp(func(ctx context.Context, a *app.App, args []string) error { return c.inspect(ctx, a, args[0], o) })(cmd, args)
		}
		a, err := app.Scratch(cmd.Context()) // looking at a file leaves nothing behind
		if err != nil {
			return err
		}
		err = c.inspect(cmd.Context(), a, args[0], o)
		if closing := a.Close(); err == nil {
			err = closing
		}
		return err
	}
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteInspect(ctx, r, args[0], o) })
}

func (c *console) inspect(ctx context.Context, a *app.App, name string, o *inspectOptions) error {
	in, err := c.openInput(ctx, a, name, &o.source)
	if err != nil {
		return err
	}
	defer in.close()
	req := importset.SurveyRequest{Key: o.key}
	if o.into != "" {
		if req.Into, err = a.DB.Table(o.into); err != nil {
			return err
		}
	}
	survey, err := c.survey(ctx, a, in, req)
	if err != nil {
		return err
	}
	if o.save != "" {
		if err := o.saveMap(ctx, a, in, survey); err != nil {
			return err
		}
	}
	return c.show(c.surveyAnswer(survey))
}

// survey reads a source from end to end, with progress.
func (c *console) survey(ctx context.Context, a *app.App, in *input, req importset.SurveyRequest) (*importset.Survey, error) {
	p := c.follow(in)
	defer p.done()
	req.Progress = func(rows int64) { p.rows("looking at "+in.Name, rows, 0) }
	return a.Imports.Survey(ctx, in.Source, req)
}

// saveMap writes the map that an import would make of the names, or that goes with a derived table.
func (o *inspectOptions) saveMap(ctx context.Context, a *app.App, in *input, survey *importset.Survey) error {
	if o.into != "" {
		chosen, err := a.Imports.Choose(ctx, &in.Source, importset.Choice{Into: o.into, Coalesce: o.key}, nil)
		if err != nil {
			return err
		}
		return saveMaps(o.save, chosen.Maps)
	}
	return o.saveDerived(in.Name, survey)
}

// saveDerived writes the map that goes with the table derived from a source.
func (o *inspectOptions) saveDerived(name string, survey *importset.Survey) error {
	if len(survey.Columns) == 0 {
		return fault.New(fault.Invalid, "%s has no columns to map", name)
	}
	_, def := importset.Derive(survey, importset.TableName(name), "", o.key)
	return saveMaps(o.save, []transform.Def{def})
}

func (c *console) surveyAnswer(v *importset.Survey) answer {
	out := answer{value: v, header: []string{"column", "field", "type", "blank", "distinct", "longest", "samples"}}
	for _, col := range v.Columns {
		kind := col.Type
		if col.DateFormat != "" {
			kind += " " + col.DateFormat
		}
		distinct := strconv.FormatInt(col.Distinct, 10)
		if !col.DistinctExact {
			distinct = "~" + distinct
		}
		out.rows = append(out.rows, []string{col.Header, col.Name, kind, strconv.FormatInt(col.Blank, 10), distinct, strconv.Itoa(col.MaxLength),
			strings.Join(col.Samples, " | ")})
	}
	if c.settings.Output == "table" {
		out.text = c.surveyText(v, out)
	}
	return out
}

func (c *console) surveyText(v *importset.Survey, columns answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", v.Source, v.Format)
	if v.Size >= 0 { // rows of a database come without bytes
		fmt.Fprintf(&b, ", %s bytes, sha256 %.12s", importset.Thousands(v.Size), v.Hash)
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "  rows     %s, %s of them unreadable\n", importset.Thousands(v.Rows), importset.Thousands(v.BadRows))
	var dialect []string
	for _, name := range slices.Sorted(maps.Keys(v.Dialect)) {
		dialect = append(dialect, name+"="+visible(v.Dialect[name]))
	}
	if len(dialect) > 0 {
		fmt.Fprintf(&b, "  dialect  %s\n", strings.Join(dialect, " "))
	}
	for _, n := range v.Notes {
		fmt.Fprintf(&b, "  note     %s\n", n)
	}
	b.WriteByte('\n')
	page := *c
	page.out = &b
	if page.writeTable(columns.header, each(columns.rows)) != nil {
		return "" // a Builder takes every write
	}
	b.WriteByte('\n')
	for _, col := range v.Columns {
		for _, w := range col.Warnings {
			fmt.Fprintf(&b, "  warning  %s: %s\n", col.Header, w)
		}
	}
	b.WriteString(keyText(v))
	for _, g := range v.Problems {
		fmt.Fprintf(&b, "  problem  %s rows %s, %s\n", importset.Thousands(g.Rows), g.Reason, cause(g))
	}
	return b.String()
}

// visible writes a tab as \t, and leaves quotes alone.
func visible(text string) string {
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// keyText is the X-ray of a proposed key.
func keyText(v *importset.Survey) string {
	k := v.Key
	if k == nil {
		return ""
	}
	var b strings.Builder
	verdict := "unique"
	if !k.Unique {
		verdict = fmt.Sprintf("not unique: %s rows repeat a key, %s have none", importset.Thousands(k.Duplicates), importset.Thousands(k.Blank))
	}
	fmt.Fprintf(&b, "  key      %s: %s\n", strings.Join(k.Columns, ", "), verdict)
	if k.CaseVariants+k.SpaceVariants > 0 {
		fmt.Fprintf(&b, "           %s keys differ from another only in case, %s only in blanks\n", importset.Thousands(k.CaseVariants), importset.Thousands(k.SpaceVariants))
	}
	if !k.Counted {
		b.WriteString("           too many keys to look for variants in case and blanks\n")
	}
	for _, e := range k.Examples {
		lines := strings.Trim(strings.ReplaceAll(fmt.Sprint(e.Lines), " ", ", "), "[]")
		fmt.Fprintf(&b, "           %q on lines %s\n", e.Key, lines)
	}
	if k.Into == "" {
		return b.String()
	}
	index := "indexed"
	if !k.Indexed {
		index = "no index: every batch reads the whole table"
	}
	fmt.Fprintf(&b, "  into     %s (%s): %s match, %s ambiguous, %s new, %s skipped; about %.1f s\n", k.Into, index, importset.Thousands(k.Matches),
		importset.Thousands(k.Ambiguous), importset.Thousands(k.Inserts), importset.Thousands(k.Skips), k.ForecastSeconds)
	return b.String()
}
