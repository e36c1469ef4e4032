package cli

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

func (c *console) recordCommand() *cobra.Command {
	return group("record", "Records of any table", c.recordListCommand(), c.recordGetCommand(), c.recordCountCommand(),
		c.recordCreateCommand(), c.recordUpdateCommand(), c.recordDeleteCommand())
}

type listOptions struct {
	query         string
	fields        []string
	limit, offset int
}

func (c *console) recordListCommand() *cobra.Command {
	o := &listOptions{}
	cmd := &cobra.Command{Use: "list TABLE", Short: "Records that an encoded query finds", Args: exactly("TABLE"),
		Example: "  headrace record list cmdb_ci_server --query 'os=Debian 13^ORDERBYname' --fields name,os"}
	f := cmd.Flags()
	f.StringVar(&o.query, "query", "", "encoded query: `field=value^...`")
	f.StringSliceVar(&o.fields, "fields", nil, "the fields to show, dotted over references: `a,b.c`")
	f.IntVar(&o.limit, "limit", 50, "the most records to show; 0 is all")
	f.IntVar(&o.offset, "offset", 0, "pass over this many first")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error { return c.listRecords(ctx, a, args[0], o) })
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteRecords(ctx, r, args[0], o) })
}

func (c *console) listRecords(ctx context.Context, a *app.App, table string, o *listOptions) error {
	t, q, err := parseQuery(a, table, o.query)
	if err != nil {
		return err
	}
	names, fields, err := c.shown(t, o.fields)
	if err != nil {
		return err
	}
	if o.limit < 0 || o.offset < 0 {
		return fault.New(fault.Invalid, "--limit and --offset are not below 0")
	}
	session := a.DB.As(record.System)
	rows := session.Select(ctx, &record.Query{Table: t, Fields: names, Where: q.Where, OrderBy: q.OrderBy, Limit: o.limit, Offset: o.offset})
	count := 0
	items := func(yield func(item, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(item{}, err)
				return
			}
			count++
			if !yield(item{cells: texts(row), value: object(fields, names, row)}, nil) {
				return
			}
		}
	}
	if err := c.showList(names, items); err != nil || o.limit == 0 || count < o.limit {
		return err
	}
	total, err := session.Count(ctx, t, q.Where)
	if err == nil && total > int64(o.offset+count) {
		c.note("  %d of %d shown; --limit and --offset show others", count, total)
	}
	return err
}

// parseQuery reads an encoded query. The platform leaves out terms that it does not understand; a command line says so.
func parseQuery(a *app.App, table, text string) (*record.Table, *query.Query, error) {
	t, err := a.DB.Table(table)
	if err != nil {
		return nil, nil, err
	}
	q, err := query.Parse(text, t, query.Env{UserID: record.System.ID, UserName: record.System.Name})
	if err != nil {
		return nil, nil, err
	}
	if len(q.Invalid) > 0 {
		return nil, nil, fault.New(fault.Invalid, "the query on %s has terms without meaning: %s", t.Name, strings.Join(q.Invalid, ", ")).
			WithHint("field, operator, value, joined by ^; the fields: headrace table describe %s", t.Name)
	}
	return t, q, nil
}

// mostColumns is how many fields a table shows to people who did not say which.
const mostColumns = 8

// shown settles the fields of a list.
func (c *console) shown(t *record.Table, asked []string) (names []string, fields []*record.Field, err error) {
	names = asked
	if len(names) == 0 {
		names = t.Names()
		if c.settings.Output == "table" && !t.Bare {
			own := importset.OwnFields(t)
			names = append([]string{record.SysID}, own[:min(len(own), mostColumns)]...)
		}
	}
	for _, name := range names {
		path := t.Path(name)
		if path == nil {
			f := fault.New(fault.Invalid, "table %s has no field %q", t.Name, name)
			if near := record.Nearest(name, t.Names()); near != "" {
				return nil, nil, f.WithHint("did you mean %q?", near)
			}
			return nil, nil, f.WithHint("the fields are %s", strings.Join(t.Names(), ", "))
		}
		fields = append(fields, path[len(path)-1])
	}
	return names, fields, nil
}

func texts(row []record.Value) []string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = v.Text
	}
	return out
}

func (c *console) recordGetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "get TABLE ID", Short: "One record, by its sys_id or by what is displayed of it", Args: exactly("TABLE", "ID")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		r, err := findRecord(ctx, a, args[0], args[1])
		if err != nil {
			return err
		}
		return c.showRecord(r)
	})
	return c.onServer(cmd, c.remoteGet)
}

// showRecord shows one record: for people a field a line, for programs the object itself.
func (c *console) showRecord(r *record.Record) error {
	names := r.Table.Names()
	fields := make([]*record.Field, len(names))
	for i := range fields {
		fields[i] = &r.Table.Fields[i]
	}
	out := answer{value: object(fields, names, r.Values), header: names, rows: [][]string{texts(r.Values)}}
	if c.settings.Output != "table" {
		return c.show(out)
	}
	width := 0
	for _, n := range names {
		width = max(width, len(n))
	}
	var b strings.Builder
	for i, n := range names {
		b.WriteString(strings.TrimRight("  "+n+strings.Repeat(" ", width-len(n))+"  "+oneLine(r.Values[i].Text, 400), " ") + "\n")
	}
	out.text = b.String()
	return c.show(out)
}

// showMade shows a new record; to people who want it quiet, only what stands for it.
func (c *console) showMade(r *record.Record) error {
	if c.settings.Output != "table" || !c.settings.Quiet {
		return c.showRecord(r)
	}
	return c.show(answer{text: "  " + oneLine(r.Display(), widest) + "\n"})
}

// findRecord finds a record by its id, or by the value of the field that stands for it.
func findRecord(ctx context.Context, a *app.App, table, id string) (*record.Record, error) {
	t, err := a.DB.Table(table)
	if err != nil {
		return nil, err
	}
	session := a.DB.As(record.System)
	if len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
		return session.Get(ctx, t, id)
	}
	display := t.DisplayField().Name
	found := []*record.Record{}
	q := &record.Query{Table: t, Fields: t.Names(), Limit: 2, Where: &query.Term{Field: display, Op: query.Equal, Values: []string{id}}}
	for row, err := range session.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		found = append(found, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	switch len(found) {
	case 0:
		return nil, fault.New(fault.NotFound, "table %s has no record with %s %q", table, display, id).
			WithHint("name it by sys_id, or by %s; headrace record list %s", display, table)
	case 1:
		return found[0], nil
	}
	return nil, fault.New(fault.Invalid, "several records of %s have %s %q", table, display, id).
		WithHint("headrace record list %s --query %q --fields sys_id", table, display+"="+id)
}

func (c *console) recordCountCommand() *cobra.Command {
	var text string
	cmd := &cobra.Command{Use: "count TABLE", Short: "How many records an encoded query finds", Args: exactly("TABLE")}
	cmd.Flags().StringVar(&text, "query", "", "encoded query: `field=value^...`")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		t, q, err := parseQuery(a, args[0], text)
		if err != nil {
			return err
		}
		n, err := a.DB.As(record.System).Count(ctx, t, q.Where)
		if err != nil {
			return err
		}
		return c.show(countAnswer(t.Name, n))
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteCount(ctx, r, args[0], text) })
}

func countAnswer(table string, n int64) answer {
	count := strconv.FormatInt(n, 10)
	return answer{value: map[string]any{"table": table, "count": n}, header: []string{"count"}, rows: [][]string{{count}}, text: count + "\n"}
}

// errDryRun rolls back what was only tried.
var errDryRun = errors.New("dry run")

// change runs a change of records, and takes it back again when it is only tried.
func change(ctx context.Context, a *app.App, dryRun bool, do func(w *record.Writer) error) error {
	err := a.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		if err := do(w); err != nil {
			return err
		}
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

// writable finds a table whose records people may change.
func writable(a *app.App, name string) (*record.Table, error) {
	t, err := a.DB.Table(name)
	if err == nil && (t.Bare || strings.HasPrefix(name, "sys_") || strings.HasPrefix(name, "oauth_")) {
		return nil, fault.New(fault.Refused, "records of %s are kept by the product", name).WithHint("they can be read: headrace record list %s", name)
	}
	return t, err
}

func assignments(args []string) ([]record.Assignment, error) {
	var out []record.Assignment
	for _, arg := range args {
		field, value, found := strings.Cut(arg, "=")
		if !found || field == "" {
			return nil, fault.New(fault.Invalid, "%q gives no field a value", arg).WithHint("write field=value; field= empties it")
		}
		out = append(out, record.Assignment{Field: field, Value: record.Value{Text: value, Valid: value != ""}})
	}
	return out, nil
}

func (c *console) recordCreateCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{Use: "create TABLE FIELD=VALUE...", Short: "Make a record; with --quiet only what stands for it is shown", Args: exactly("TABLE", "FIELD=VALUE...")}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show the record, keep nothing")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		t, err := writable(a, args[0])
		if err != nil {
			return err
		}
		values, err := assignments(args[1:])
		if err != nil {
			return err
		}
		var r *record.Record
		if err := change(ctx, a, dryRun, func(w *record.Writer) error { r, err = w.Insert(ctx, t, values); return err }); err != nil {
			return err
		}
		return c.showMade(r)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteWrite(ctx, r, http.MethodPost, args[0], "", args[1:], dryRun)
	})
}

func (c *console) recordUpdateCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{Use: "update TABLE ID FIELD=VALUE...", Short: "Change fields of a record", Args: exactly("TABLE", "ID", "FIELD=VALUE...")}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show the record as it would be, change nothing")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		t, err := writable(a, args[0])
		if err != nil {
			return err
		}
		values, err := assignments(args[2:])
		if err != nil {
			return err
		}
		r, err := findRecord(ctx, a, args[0], args[1])
		if err != nil {
			return err
		}
		changed := false
		err = change(ctx, a, dryRun, func(w *record.Writer) error { r, changed, err = w.Update(ctx, t, r.ID(), values); return err })
		if err != nil {
			return err
		}
		if !changed {
			c.note("  nothing differs; nothing was written")
		}
		return c.showRecord(r)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteWrite(ctx, r, http.MethodPatch, args[0], args[1], args[2:], dryRun)
	})
}

func (c *console) recordDeleteCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{Use: "delete TABLE ID", Short: "Remove a record", Args: exactly("TABLE", "ID")}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show the record, keep it")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		t, err := writable(a, args[0])
		if err != nil {
			return err
		}
		r, err := findRecord(ctx, a, args[0], args[1])
		if err != nil {
			return err
		}
		if err := change(ctx, a, dryRun, func(w *record.Writer) error { return w.Delete(ctx, t, r.ID()) }); err != nil {
			return err
		}
		return c.showRecord(r)
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteDelete(ctx, r, args[0], args[1], dryRun)
	})
}
