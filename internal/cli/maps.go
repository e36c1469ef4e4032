package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// mapFlags say how columns become fields.
type mapFlags struct {
	into, file, onDuplicate, mode string
	create                        bool
	coalesce                      []string
}

// mapping is what an import was decided to be.
type mapping struct {
	defs  []transform.Def
	made  *record.Table // the table to make first, or nil
	notes []string      // what was decided and nobody asked for
}

// choose settles the maps of an import: those of a file, else one by names, for a table that is there or is derived.
func (m *mapFlags) choose(ctx context.Context, c *console, a *app.App, in *input) (*mapping, error) {
	var out *mapping
	var err error
	if m.file != "" {
		out, err = m.written(ctx, c, a, in)
	} else {
		out, err = m.unwritten(ctx, c, a, in)
	}
	if err != nil {
		return nil, err
	}
	for i := range out.defs {
		if m.onDuplicate != "" {
			out.defs[i].OnDuplicate = m.onDuplicate
		}
		if m.mode != "" {
			out.defs[i].Mode = m.mode
		}
	}
	return out, m.check(out)
}

// check takes the maps through their written form, so that flags are held to the same words as files.
func (m *mapFlags) check(out *mapping) error {
	text, err := transform.Marshal(out.defs)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the map cannot be written")
	}
	_, err = transform.Parse("the map", text)
	return err
}

// written reads the maps that --map names.
func (m *mapFlags) written(ctx context.Context, c *console, a *app.App, in *input) (*mapping, error) {
	defs, err := readMaps(ctx, a, m.file)
	if err != nil {
		return nil, err
	}
	if m.into != "" && !slices.ContainsFunc(defs, func(d transform.Def) bool { return d.TargetTable == m.into }) {
		return nil, fault.New(fault.Invalid, "--into says %s, and the map %s fills %s", m.into, m.file, defs[0].TargetTable).
			WithHint("leave --into away, or change targetTable")
	}
	for i := range defs {
		if len(m.coalesce) > 0 {
			if err := setKey(&defs[i], m.coalesce); err != nil {
				return nil, err
			}
		}
	}
	out := &mapping{defs: defs}
	if target := defs[0].TargetTable; m.create && a.DB.Catalog().Table(target) == nil {
		survey, err := c.survey(ctx, a, in, importset.SurveyRequest{})
		if err != nil {
			return nil, err
		}
		out.make(tableFor(survey, &defs[0]))
	}
	return out, nil
}

// tableFor makes the table that a map fills, with types as the source's columns have them.
func tableFor(survey *importset.Survey, d *transform.Def) record.Table {
	all, _ := importset.Derive(survey, d.TargetTable, "", nil)
	headers := make([]string, len(survey.Columns))
	for i, col := range survey.Columns {
		headers[i] = col.Header
	}
	t := record.Table{Name: d.TargetTable}
	var key []string
	for _, f := range d.Fields {
		field := record.Field{Name: f.Target, Type: record.String}
		if at := transform.FindColumn(headers, f.SourceField); at >= 0 && at < len(all.Fields) {
			field.Label, field.Type = headers[at], all.Fields[at].Type
		}
		t.Fields = append(t.Fields, field)
		if f.Coalesce {
			key = append(key, f.Target)
		}
	}
	if len(key) > 0 {
		t.Indexes = []record.Index{{Fields: key}}
	}
	return t
}

// mostNamed is how many fields or columns a note names.
const mostNamed = 30

// make notes that a table is to be made first.
func (m *mapping) make(t record.Table) {
	m.made = &t
	var fields []string
	for i := range t.Fields[:min(len(t.Fields), mostNamed)] {
		fields = append(fields, fmt.Sprintf("%s %s", t.Fields[i].Name, t.Fields[i].Type))
	}
	if more := len(t.Fields) - len(fields); more > 0 {
		fields = append(fields, fmt.Sprintf("and %s more", importset.Thousands(int64(more))))
	}
	m.notes = append(m.notes, fmt.Sprintf("table    %s is made: %s", t.Name, strings.Join(fields, ", ")))
	for _, ix := range t.Indexes {
		m.notes = append(m.notes, "index    "+strings.Join(ix.Fields, ", "))
	}
}

// setKey makes the named columns or fields the coalesce fields of a map, and no others.
func setKey(d *transform.Def, key []string) error {
	for i := range d.Fields {
		d.Fields[i].Coalesce = false
	}
	for _, name := range key {
		i := slices.IndexFunc(d.Fields, func(f transform.FieldDef) bool { return f.Target == name })
		if i < 0 {
			i = slices.IndexFunc(d.Fields, func(f transform.FieldDef) bool {
				return f.SourceField == name || f.SourceField != "" && transform.ColumnName(f.SourceField) == name
			})
		}
		if i < 0 {
			return noKey(d, name)
		}
		d.Fields[i].Coalesce = true
	}
	return nil
}

func noKey(d *transform.Def, name string) error {
	var known []string
	for _, f := range d.Fields {
		known = append(known, f.Target)
		if f.SourceField != "" && f.SourceField != f.Target {
			known = append(known, f.SourceField)
		}
	}
	f := fault.New(fault.Invalid, "the coalesce field %q is neither a column of the source nor a field that is mapped", name)
	if near := record.Nearest(name, known); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("mapped are %s", strings.Join(known[:min(len(known), 30)], ", "))
}

// unwritten makes a map where none is given: by the names of a table's fields, or with a table derived from the data.
func (m *mapFlags) unwritten(ctx context.Context, c *console, a *app.App, in *input) (*mapping, error) {
	name, guessed := m.into, ""
	if name == "" {
		name = tableName(in.Name)
		guessed = fmt.Sprintf("no --into and no --map: table %s, from the name of the source", name)
	}
	if a.DB.Catalog().Table(name) == nil && (m.create || guessed != "") {
		out, err := m.derive(ctx, c, a, in, name)
		if err == nil && guessed != "" {
			out.notes = slices.Insert(out.notes, 0, guessed)
		}
		return out, err
	}
	t, err := a.DB.Table(name)
	if err != nil {
		return nil, err
	}
	if t.Bare || strings.HasPrefix(t.Name, "sys_") {
		return nil, fault.New(fault.Refused, "table %s is kept by the product and takes no imports", name)
	}
	out, err := m.byName(ctx, in, t)
	if err != nil {
		return nil, err
	}
	if guessed != "" {
		out.notes = slices.Insert(out.notes, 0, guessed+"; it is there already")
	}
	if len(m.coalesce) == 0 {
		out.notes = append(out.notes, "no --coalesce: every row becomes a new record")
	}
	return out, nil
}

// derive makes table and map from the data itself.
func (m *mapFlags) derive(ctx context.Context, c *console, a *app.App, in *input, name string) (*mapping, error) {
	if strings.HasPrefix(name, "sys_") || !record.ValidName(name) {
		return nil, fault.New(fault.Invalid, "%q cannot be the name of a new table", name).
			WithHint("use lower-case letters, digits and _, starting with a letter and not with sys_")
	}
	survey, err := c.survey(ctx, a, in, importset.SurveyRequest{Key: m.coalesce})
	if err != nil {
		return nil, err
	}
	if len(survey.Columns) == 0 {
		return nil, fault.New(fault.Invalid, "%s has no columns to make a table of", in.Name)
	}
	t, def := importset.Derive(survey, name, "", m.coalesce)
	out := &mapping{defs: []transform.Def{def}}
	out.make(t)
	if n := len(survey.Columns) - len(t.Fields); n > 0 {
		out.notes = append(out.notes, fmt.Sprintf("left out %s columns: a table holds no more; staging keeps them", importset.Thousands(int64(n))))
	}
	return out, nil
}

// tableName derives the name of a table from that of a source.
func tableName(source string) string {
	base := strings.TrimSuffix(filepath.Base(source), ".gz")
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if base == "-" || base == "" {
		return "stdin"
	}
	return transform.ColumnName(base)
}

// byName pairs columns with the fields whose names say the same.
func (m *mapFlags) byName(ctx context.Context, in *input, t *record.Table) (*mapping, error) {
	headers, samples, err := columnsOf(ctx, &in.Source)
	if err != nil {
		return nil, err
	}
	def := transform.Def{TargetTable: t.Name}
	var unsure []string
	used := map[string]bool{}
	for _, s := range transform.Suggest(headers, t) {
		switch {
		case s.Score >= transform.Sure:
			f := transform.FieldDef{Target: s.Field, SourceField: s.Column}
			f.DateFormat = datePattern(t.Field(s.Field), samples[slices.Index(headers, s.Column)])
			def.Fields = append(def.Fields, f)
			used[s.Column] = true
		default:
			unsure = append(unsure, fmt.Sprintf("%s -> %s (%d)", s.Column, s.Field, s.Score))
		}
	}
	if len(def.Fields) == 0 {
		return nil, nothingMapped(t, headers, unsure)
	}
	slices.SortStableFunc(def.Fields, func(a, b transform.FieldDef) int {
		return slices.Index(headers, a.SourceField) - slices.Index(headers, b.SourceField)
	})
	if err := setKey(&def, m.coalesce); err != nil {
		return nil, err
	}
	out := &mapping{defs: []transform.Def{def}, notes: []string{"map      " + oneLine(describeMap(&def), 1000)}}
	var left []string
	for _, h := range headers {
		if !used[h] {
			left = append(left, h)
		}
	}
	if len(left) > 0 {
		out.notes = append(out.notes, "left out "+fewNames(left)+": no field of "+t.Name+" is called so")
	}
	if len(unsure) > 0 {
		out.notes = append(out.notes, "perhaps  "+strings.Join(unsure, ", "))
	}
	return out, nil
}

func fewNames(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %s more", importset.Thousands(int64(len(names)-mostNamed)))
}

func nothingMapped(t *record.Table, headers, unsure []string) error {
	f := fault.New(fault.Invalid, "no column is called like a field of %s: %s", t.Name, strings.Join(headers[:min(len(headers), 20)], ", "))
	if len(unsure) > 0 {
		return f.WithHint("write a map; perhaps %s", strings.Join(unsure, ", "))
	}
	return f.WithHint("write a map (--map FILE.yaml); the fields are %s", strings.Join(ownFields(t), ", "))
}

func ownFields(t *record.Table) []string {
	var names []string
	for i := range t.Fields {
		if !record.IsSystemField(t.Fields[i].Name) {
			names = append(names, t.Fields[i].Name)
		}
	}
	return names
}

// describeMap is a map in one line: pairs that are called alike by one name, the key marked.
func describeMap(d *transform.Def) string {
	var parts []string
	for _, f := range d.Fields {
		part := f.Target
		switch {
		case f.Constant != nil:
			part = fmt.Sprintf("%q -> %s", *f.Constant, f.Target)
		case f.SourceField != f.Target:
			part = f.SourceField + " -> " + f.Target
		}
		if f.DateFormat != "" {
			part += " (" + f.DateFormat + ")"
		}
		if f.Coalesce {
			part += " (coalesce)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// sampled is how many rows are looked at to see how dates are written.
const sampled = 500

// columnsOf reads a source for its columns, to its end where they may show up late, and samples what they hold.
func columnsOf(ctx context.Context, src *importset.Source) (headers []string, samples [][]string, err error) {
	rows := 0
	for row, err := range src.Rows(ctx) {
		if err != nil {
			return nil, nil, err
		}
		headers = row.Header.Columns
		for len(samples) < len(headers) {
			samples = append(samples, nil)
		}
		if rows++; rows > sampled {
			if !src.Format.Info().Grows {
				break
			}
			continue
		}
		for i, v := range row.Cells {
			if row.Err == nil && !v.Empty() {
				samples[i] = append(samples[i], v.Text)
			}
		}
	}
	return headers, samples, nil
}

// datePattern finds the one pattern by which every sample of a date column reads; "" where they are ISO dates, or where
// the samples leave the pattern open: then each row says what it cannot read.
func datePattern(f *record.Field, samples []string) string {
	if f.Type != record.Date && f.Type != record.DateTime {
		return ""
	}
	if fits := transform.GuessDateFormat(samples); len(fits) == 1 {
		return fits[0]
	}
	return ""
}

// readMaps reads the maps of a file, or those that the newest run with a map of this name used.
func readMaps(ctx context.Context, a *app.App, name string) ([]transform.Def, error) {
	defs, missing := transform.ReadFile(name)
	if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, `./\`) {
		return defs, missing
	}
	runs, err := a.Imports.Runs(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, run := range slices.Backward(runs) {
		stored, err := a.Imports.Stored(ctx, run.Number)
		if err != nil {
			return nil, err
		}
		for _, d := range stored.Maps {
			if d.Name == name {
				return stored.Maps, nil
			}
			known[d.Name] = true
		}
	}
	f := fault.New(fault.Invalid, "there is no map file %s, and no run used a map of that name", name)
	if near := record.Nearest(name, slices.Collect(maps.Keys(known))); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("--map FILE.yaml; headrace inspect SRC --save FILE.yaml writes one to begin with")
}
