package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

func (c *console) tableCommand() *cobra.Command {
	return group("table", "Tables: their fields, and making them", c.tableListCommand(), c.tableDescribeCommand(), c.tableCreateCommand())
}

func (c *console) tableListCommand() *cobra.Command {
	var system bool
	cmd := &cobra.Command{Use: "list", Short: "The tables, with their number of records", Args: exactly()}
	cmd.Flags().BoolVar(&system, "all", false, "with the product's own tables")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		values := []tableItem{}
		for _, name := range a.DB.Catalog().Names() {
			if a.DB.Own(name) && !system {
				continue
			}
			t := a.DB.Catalog().Table(name)
			n, err := a.DB.As(record.System).Count(ctx, t, nil)
			if err != nil {
				return err
			}
			values = append(values, tableItem{name, t.Title(), len(t.Fields), n})
		}
		return c.show(tablesAnswer(values))
	})
	return c.onServer(cmd, func(ctx context.Context, r *remote, _ []string) error { return c.remoteTables(ctx, r, system) })
}

// tableItem is one table in a list.
type tableItem struct {
	Name    string `json:"name"`
	Label   string `json:"label"`
	Fields  int    `json:"fields"`
	Records int64  `json:"records"`
}

func tablesAnswer(tables []tableItem) answer {
	out := answer{header: []string{"name", "label", "fields", "records"}, value: tables}
	for _, t := range tables {
		out.rows = append(out.rows, []string{t.Name, t.Label, strconv.Itoa(t.Fields), strconv.FormatInt(t.Records, 10)})
	}
	return out
}

func (c *console) tableDescribeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "describe TABLE", Short: "The fields and indexes of a table", Args: exactly("TABLE")}
	cmd.RunE = c.withApp(func(_ context.Context, a *app.App, args []string) error {
		t, err := a.DB.Table(args[0])
		if err != nil {
			return err
		}
		return c.showTable(t)
	})
	return c.onServer(cmd, c.remoteDescribe)
}

// showTable shows the fields and indexes of a table.
func (c *console) showTable(t *record.Table) error {
	out := answer{value: t, header: []string{"field", "label", "type", "length", "properties"}}
	for i := range t.Fields {
		f := &t.Fields[i]
		length := ""
		if f.Length > 0 {
			length = strconv.Itoa(f.Length)
		}
		out.rows = append(out.rows, []string{f.Name, f.Label, string(f.Type), length, fieldProperties(f)})
	}
	if err := c.show(out); err != nil {
		return err
	}
	for _, ix := range t.Indexes {
		c.note("  index %s%s", strings.Join(ix.Fields, ", "), map[bool]string{true: " (unique)"}[ix.Unique])
	}
	return nil
}

func fieldProperties(f *record.Field) string {
	var words []string
	for word, holds := range map[string]bool{"mandatory": f.Mandatory, "read-only": f.ReadOnly, "unique": f.Unique, "display": f.Display} {
		if holds {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	if f.Reference != "" {
		words = append(words, "-> "+f.Reference)
	}
	if f.Default != "" {
		words = append(words, "default "+f.Default)
	}
	for _, o := range f.Choices {
		words = append(words, o.Value)
	}
	return strings.Join(words, ", ")
}

type tableOptions struct {
	file, label, extends string
	fields               []string
	dryRun               bool
}

func (c *console) tableCreateCommand() *cobra.Command {
	o := &tableOptions{}
	cmd := &cobra.Command{
		Use:   "create {-f FILE.yaml | NAME --field NAME:TYPE ...}",
		Short: "Make tables, or add fields and indexes to them; nothing is ever taken away",
		Example: "  headrace table create -f cmdb_ci_server.yaml\n" +
			"  headrace table create u_server --field serial_number:string:unique --field location:reference:cmn_location",
		Args: exactly("[NAME]"),
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "the definitions, one table or a list under tables:, in a YAML `FILE`")
	f.StringVar(&o.label, "label", "", "label of the table")
	f.StringVar(&o.extends, "extends", "", "the `TABLE` whose fields it inherits")
	f.StringArrayVar(&o.fields, "field", nil, "`NAME:TYPE[:mandatory|unique|display|TABLE]`, any number of times")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the statements only")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error { return c.createTables(ctx, a, o, args) })
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error {
		return c.remoteCreateTables(ctx, r, o, args)
	})
}

func (c *console) createTables(ctx context.Context, a *app.App, o *tableOptions, args []string) error {
	tables, err := o.tables(args)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if a.DB.Own(t.Name) {
			return fault.New(fault.Refused, "table %s is the product's own, as are all names that begin with sys_", t.Name)
		}
	}
	steps, err := a.DB.Define(ctx, record.System, o.dryRun, tables...)
	if err != nil {
		return err
	}
	return c.show(definedAnswer(tables, steps, o.dryRun))
}

// definedAnswer tells of tables that were made, or would be, by these statements.
func definedAnswer(tables []record.Table, steps []string, dryRun bool) answer {
	names, rows, text := []string{}, [][]string{}, ""
	for _, t := range tables {
		names = append(names, t.Name)
		rows = append(rows, []string{t.Name})
		text += fmt.Sprintf("  table %s: %s\n", t.Name, map[bool]string{true: "made or added to", false: "as it was"}[len(steps) > 0])
	}
	if dryRun {
		text = strings.Join(steps, "\n") + "\n"
	}
	return answer{value: map[string]any{"tables": names, "statements": steps, "dry_run": dryRun}, header: []string{"table"}, rows: rows, text: text}
}

func (o *tableOptions) tables(args []string) ([]record.Table, error) {
	switch {
	case o.file != "" && len(args)+len(o.fields) > 0:
		return nil, fault.New(fault.Invalid, "the table is described twice, by -f and by arguments").WithHint("give one of them")
	case o.file != "":
		return readTables(o.file)
	case len(args) == 0:
		return nil, fault.New(fault.Invalid, "no table is named").WithHint("give -f FILE.yaml, or NAME --field NAME:TYPE")
	}
	t := record.Table{Name: args[0], Label: o.label, Extends: o.extends}
	for _, text := range o.fields {
		f, err := parseField(text)
		if err != nil {
			return nil, err
		}
		t.Fields = append(t.Fields, f)
	}
	if len(t.Fields) == 0 && t.Extends == "" {
		return nil, fault.New(fault.Invalid, "table %s would have no fields", t.Name).WithHint("--field NAME:TYPE")
	}
	return []record.Table{t}, nil
}

// fieldTypes are short names of types, beside their own.
var fieldTypes = map[string]record.Type{"": record.String, "date": record.Date, "datetime": record.DateTime, "date-time": record.DateTime,
	"ip": record.IP, "secret": record.Secret, "bool": record.Boolean, "int": record.Integer}

func parseField(text string) (record.Field, error) {
	parts := strings.Split(text, ":")
	f := record.Field{Name: parts[0]}
	if len(parts) > 1 {
		f.Type = record.Type(parts[1])
	}
	if t, short := fieldTypes[string(f.Type)]; short {
		f.Type = t
	}
	if !slices.Contains(record.Types, f.Type) {
		return f, fault.New(fault.Invalid, "--field %s: there is no type %q", text, f.Type).WithHint("the types are %v", record.Types)
	}
	for _, word := range parts[min(2, len(parts)):] {
		switch {
		case word == "mandatory":
			f.Mandatory = true
		case word == "unique":
			f.Unique = true
		case word == "display":
			f.Display = true
		case f.Type == record.Reference && f.Reference == "":
			f.Reference = word
		default:
			return f, fault.New(fault.Invalid, "--field %s: %q is not understood", text, word).WithHint("NAME:TYPE, then mandatory, unique, display, or the table of a reference")
		}
	}
	return f, nil
}

// tableFile is one table, or several under tables.
type tableFile struct {
	record.Table `yaml:",inline"`
	Tables       []record.Table `yaml:"tables"`
}

func readTables(path string) ([]record.Table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the table file cannot be read")
	}
	var doc tableFile
	known := []string{"name", "label", "extends", "fields", "indexes", "extendable", "tables", "type", "length", "mandatory",
		"readOnly", "unique", "display", "default", "choices", "reference", "help", "value"}
	if err := yamlfile.Decode(path, text, &doc, known); err != nil {
		return nil, err
	}
	if doc.Name != "" {
		if len(doc.Tables) > 0 {
			return nil, fault.New(fault.Invalid, "%s: has both a table and a list of tables", path).WithHint("put every table under tables:")
		}
		doc.Tables = []record.Table{doc.Table}
	}
	if len(doc.Tables) == 0 {
		return nil, fault.New(fault.Invalid, "%s: names no table", path).WithHint("name: TABLE and fields: [{name: ..., type: ...}]")
	}
	return doc.Tables, nil
}
