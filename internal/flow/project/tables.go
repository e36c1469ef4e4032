package project

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// placeForm finds "file:line:column" at the beginning of an error.
var placeForm = regexp.MustCompile(`^[^\s:]+:\d+:\d+`)

// TableFile is a table, or fields for one, as a file describes it.
type TableFile struct {
	record.Table
	File string
	text []byte
}

var tableProperties = []string{"name", "label", "extends", "extendable", "fields", "indexes", "type", "length", "mandatory", "readOnly", "unique",
	"display", "default", "choices", "reference", "help", "value"}

func (r *reader) readTables(files []string) {
	for _, name := range files {
		if path.Dir(name) == tablesFolder && path.Ext(name) != ".js" {
			r.report(r.readTable(name))
		}
	}
	if _, err := r.catalog(r.project); err != nil && len(r.project.Tables) > 0 {
		r.report(r.blame(err))
	}
}

func (r *reader) readTable(name string) error {
	text, err := r.text(name)
	if err != nil {
		return err
	}
	t := TableFile{File: name, text: text}
	if err := yamlfile.Decode(name, text, &t.Table, tableProperties); err != nil {
		return err
	}
	if t.Name == "" {
		t.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	have := r.cfg.DB.Catalog().Table(t.Name)
	if have != nil && have.Bare {
		return fault.New(fault.Refused, "%s: table %s is book-keeping and cannot be changed", t.place("name"), t.Name)
	}
	r.project.Tables = append(r.project.Tables, t)
	return nil
}

// place finds where a property of the table is written.
func (t *TableFile) place(path string) string {
	at := yamlfile.Place(t.File, t.text, path)
	if at == t.File {
		at += ":1:1"
	}
	return at
}

// blame puts the file of the table that an error of the catalog is about before it.
func (r *reader) blame(err error) error {
	for i := range r.project.Tables {
		t := &r.project.Tables[i]
		if _, alone := r.cfg.DB.Catalog().With(t.Table); alone != nil {
			f := fault.New(fault.Invalid, "%s: %v", t.place("name"), alone)
			return f.WithHint("%s", fault.HintOf(alone))
		}
	}
	return err
}

// planTables lists what tables and fields would be made or changed. What a file leaves out stays as it is: tables are only
// ever added to.
func (s *Service) planTables(p *Project, plan *Plan) error {
	want, err := s.catalog(p)
	if err != nil {
		return err
	}
	for i := range p.Tables {
		f := &p.Tables[i]
		have, next := s.cfg.DB.Catalog().Table(f.Name), want.Table(f.Name)
		c := Change{Operation: record.Updated, Kind: tableKind, Name: f.Name, Table: record.ObjectTable, ID: record.IDFrom(record.ObjectTable, f.Name), Place: f.place("name")}
		if have == nil {
			c.Operation = record.Inserted
			have = &record.Table{}
		}
		c.differ("label", have.Label, next.Label)
		c.differ("extends", have.Extends, next.Extends)
		for n := range f.Fields {
			name := f.Fields[n].Name
			c.differ(name, describeField(have.Field(name)), describeField(next.Field(name)))
		}
		for _, ix := range f.Indexes {
			if !slices.ContainsFunc(have.Indexes, func(o record.Index) bool { return o.Unique == ix.Unique && slices.Equal(o.Fields, ix.Fields) }) {
				c.differ("index", "", strings.Join(ix.Fields, ", "))
			}
		}
		if len(c.Fields) > 0 || c.Operation == record.Inserted {
			plan.Changes = append(plan.Changes, c)
		}
	}
	return nil
}

func (c *Change) differ(property, old, now string) {
	if old != now {
		c.Fields = append(c.Fields, FieldChange{Property: property, Old: old, New: now})
	}
}

// describeField says what a field is on one line, so that two descriptions differ where the fields do.
func describeField(f *record.Field) string {
	if f == nil {
		return ""
	}
	words := []string{string(f.Type)}
	add := func(is bool, word string) {
		if is {
			words = append(words, word)
		}
	}
	add(f.Length > 0, "length "+itoa(f.Length))
	add(f.Reference != "", "of "+f.Reference)
	add(f.Mandatory, "mandatory")
	add(f.Unique, "unique")
	add(f.Display, "display")
	add(f.ReadOnly, "read only")
	add(f.Default != "", "default "+quoted(f.Default))
	add(f.Label != "", "label "+quoted(f.Label))
	add(f.Help != "", "help "+quoted(f.Help))
	for _, o := range f.Choices {
		words = append(words, o.Value+"="+o.Label)
	}
	return strings.Join(words, ", ")
}

// applyTables makes the tables of the project within the transaction, and takes out choices that files no longer have.
func (s *Service) applyTables(ctx context.Context, w *record.Writer, p *Project) error {
	if len(p.Tables) == 0 {
		return nil
	}
	tables := make([]record.Table, len(p.Tables))
	for i := range p.Tables {
		tables[i] = p.Tables[i].Table
		if err := s.dropChoices(ctx, w, &tables[i]); err != nil {
			return err
		}
	}
	return w.Define(ctx, tables...)
}

// dropChoices removes the choices of a table's fields that its file does not have any more.
func (s *Service) dropChoices(ctx context.Context, w *record.Writer, t *record.Table) error {
	choices := s.cfg.DB.Catalog().Table(record.ChoiceTable)
	have, err := selectAll(ctx, w.Tx(), choices, "name", t.Name)
	if err != nil {
		return err
	}
	for _, r := range have {
		f := t.Field(r.Get("element").Text)
		if f == nil || f.HasChoice(r.Get("value").Text) {
			continue
		}
		if err := w.Delete(ctx, choices, r.ID()); err != nil {
			return err
		}
	}
	return nil
}
