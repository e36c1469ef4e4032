package importset

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Choice says how columns are to become fields, as far as somebody said it. What is left open is decided by the source and
// the target.
type Choice struct {
	Into        string          // the target table; empty with Maps, or to derive it from the source's name
	Maps        []transform.Def // given maps; nil to make one by names
	MapsFrom    string          // what the maps are called in messages
	Create      bool            // make the table from the data when it is not there
	Coalesce    []string        // columns or fields that make the key
	OnDuplicate string          // in the place of what the maps say
	Mode        string          // likewise
}

// Mapping is what an import was decided to be.
type Mapping struct {
	Absent *AbsentTerms // of a saved data source that is a full set; nil else
	Maps   []transform.Def
	Made   *record.Table // the table to make first, or nil
	Notes  []string      // what was decided and nobody asked for
}

// SurveyFunc reads a source from end to end; it is how a caller shows the progress of it.
type SurveyFunc func(SurveyRequest) (*Survey, error)

// chooser settles one Mapping.
type chooser struct {
	Choice
	db     *record.DB
	src    *Source
	survey SurveyFunc
}

// Choose settles the maps of an import: those given, else one by names, for a table that is there or is derived. survey may
// be nil.
func (s *Service) Choose(ctx context.Context, src *Source, c Choice, survey SurveyFunc) (*Mapping, error) {
	if survey == nil {
		survey = func(req SurveyRequest) (*Survey, error) { return s.Survey(ctx, *src, req) }
	}
	m := &chooser{Choice: c, db: s.db, src: src, survey: survey}
	out, err := m.settle(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out.Maps {
		if c.OnDuplicate != "" {
			out.Maps[i].OnDuplicate = c.OnDuplicate
		}
		if c.Mode != "" {
			out.Maps[i].Mode = c.Mode
		}
	}
	return out, out.check()
}

func (m *chooser) settle(ctx context.Context) (*Mapping, error) {
	if m.Maps != nil {
		return m.written()
	}
	return m.unwritten(ctx)
}

// check takes the maps through their written form, so that what callers say is held to the same words as files.
func (m *Mapping) check() error {
	text, err := transform.Marshal(m.Maps)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the map cannot be written")
	}
	_, err = transform.Parse("the map", text)
	return err
}

// written takes the maps that were given.
func (m *chooser) written() (*Mapping, error) {
	defs := m.Maps
	if len(defs) == 0 {
		return nil, fault.New(fault.Invalid, "%s holds no map", m.MapsFrom)
	}
	if m.Into != "" && !slices.ContainsFunc(defs, func(d transform.Def) bool { return d.TargetTable == m.Into }) {
		return nil, fault.New(fault.Invalid, "into says %s, and the map %s fills %s", m.Into, m.MapsFrom, defs[0].TargetTable).
			WithHint("leave into away, or change targetTable")
	}
	for i := range defs {
		if len(m.Coalesce) > 0 {
			if err := setKey(&defs[i], m.Coalesce); err != nil {
				return nil, err
			}
		}
	}
	out := &Mapping{Maps: defs}
	if target := defs[0].TargetTable; m.Create && m.db.Catalog().Table(target) == nil {
		survey, err := m.survey(SurveyRequest{})
		if err != nil {
			return nil, err
		}
		out.make(tableFor(survey, &defs[0]))
	}
	return out, nil
}

// tableFor makes the table that a map fills, with types as the source's columns have them.
func tableFor(survey *Survey, d *transform.Def) record.Table {
	all, _ := Derive(survey, d.TargetTable, "", nil)
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
func (m *Mapping) make(t record.Table) {
	m.Made = &t
	var fields []string
	for i := range t.Fields[:min(len(t.Fields), mostNamed)] {
		fields = append(fields, fmt.Sprintf("%s %s", t.Fields[i].Name, t.Fields[i].Type))
	}
	if more := len(t.Fields) - len(fields); more > 0 {
		fields = append(fields, fmt.Sprintf("and %s more", Thousands(int64(more))))
	}
	m.Notes = append(m.Notes, fmt.Sprintf("table    %s is made: %s", t.Name, strings.Join(fields, ", ")))
	for _, ix := range t.Indexes {
		m.Notes = append(m.Notes, "index    "+strings.Join(ix.Fields, ", "))
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
func (m *chooser) unwritten(ctx context.Context) (*Mapping, error) {
	name, guessed := m.Into, ""
	if name == "" {
		name = TableName(m.src.Name)
		guessed = fmt.Sprintf("no --into and no --map: table %s, from the name of the source", name)
	}
	if m.db.Catalog().Table(name) == nil && (m.Create || guessed != "") {
		out, err := m.derive(name)
		if err == nil && guessed != "" {
			out.Notes = slices.Insert(out.Notes, 0, guessed)
		}
		return out, err
	}
	t, err := m.db.Table(name)
	if err != nil {
		return nil, err
	}
	if t.Bare || strings.HasPrefix(t.Name, "sys_") {
		return nil, fault.New(fault.Refused, "table %s is kept by the product and takes no imports", name)
	}
	out, err := m.byName(ctx, t)
	if err != nil {
		return nil, err
	}
	if guessed != "" {
		out.Notes = slices.Insert(out.Notes, 0, guessed+"; it is there already")
	}
	if len(m.Coalesce) == 0 {
		out.Notes = append(out.Notes, "no --coalesce: every row becomes a new record")
	}
	return out, nil
}

// derive makes table and map from the data itself.
func (m *chooser) derive(name string) (*Mapping, error) {
	if strings.HasPrefix(name, "sys_") || !record.ValidName(name) {
		return nil, fault.New(fault.Invalid, "%q cannot be the name of a new table", name).
			WithHint("use lower-case letters, digits and _, starting with a letter and not with sys_")
	}
	survey, err := m.survey(SurveyRequest{Key: m.Coalesce})
	if err != nil {
		return nil, err
	}
	if len(survey.Columns) == 0 {
		return nil, fault.New(fault.Invalid, "%s has no columns to make a table of", m.src.Name)
	}
	t, def := Derive(survey, name, "", m.Coalesce)
	out := &Mapping{Maps: []transform.Def{def}}
	out.make(t)
	if n := len(survey.Columns) - len(t.Fields); n > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("left out %s columns: a table holds no more; staging keeps them", Thousands(int64(n))))
	}
	return out, nil
}

// TableName derives the name of a table from that of a source.
func TableName(source string) string {
	base := strings.TrimSuffix(filepath.Base(source), ".gz")
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if base == "-" || base == "" {
		return "stdin"
	}
	return transform.ColumnName(base)
}

// byName pairs columns with the fields whose names say the same.
func (m *chooser) byName(ctx context.Context, t *record.Table) (*Mapping, error) {
	headers, samples, err := columnsOf(ctx, m.src)
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
	if err := setKey(&def, m.Coalesce); err != nil {
		return nil, err
	}
	out := &Mapping{Maps: []transform.Def{def}, Notes: []string{"map      " + clipped(describeMap(&def), 1000)}}
	var left []string
	for _, h := range headers {
		if !used[h] {
			left = append(left, h)
		}
	}
	if len(left) > 0 {
		out.Notes = append(out.Notes, "left out "+fewNames(left)+": no field of "+t.Name+" is called so")
	}
	if len(unsure) > 0 {
		out.Notes = append(out.Notes, "perhaps  "+strings.Join(unsure, ", "))
	}
	return out, nil
}

func fewNames(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:mostNamed], ", ") + fmt.Sprintf(" and %s more", Thousands(int64(len(names)-mostNamed)))
}

func nothingMapped(t *record.Table, headers, unsure []string) error {
	f := fault.New(fault.Invalid, "no column is called like a field of %s: %s", t.Name, strings.Join(headers[:min(len(headers), 20)], ", "))
	if len(unsure) > 0 {
		return f.WithHint("write a map; perhaps %s", strings.Join(unsure, ", "))
	}
	return f.WithHint("write a map (--map FILE.yaml); the fields are %s", strings.Join(OwnFields(t), ", "))
}

// OwnFields names the fields of a table that are not system fields.
func OwnFields(t *record.Table) []string {
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
func columnsOf(ctx context.Context, src *Source) (headers []string, samples [][]string, err error) {
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
			if !src.grows() {
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

// MapsNamed gives the maps that the newest run with a map of this name used; a fault of kind NotFound when none did.
func (s *Service) MapsNamed(ctx context.Context, name string) ([]transform.Def, error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, run := range slices.Backward(runs) {
		stored, err := s.Stored(ctx, run.Number)
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
	f := fault.New(fault.NotFound, "no run used a map named %s", name)
	if near := record.Nearest(name, slices.Collect(maps.Keys(known))); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f
}

// clipped shortens a text to this many characters, on one line.
func clipped(text string, most int) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
	if len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return string(runes)
}
