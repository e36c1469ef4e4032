package transform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
)

// Map is a compiled transform map, bound to the columns of a source. It stays so when the source shows more of them:
// columns only ever join at the end.
type Map struct {
	Def    Def
	Target *record.Table
	// Fields are the target fields that the map fills, in order.
	Fields []string
	// Key lists the positions in Fields of the coalesce fields; empty means that every row inserts.
	Key  []int
	Fold []bool // per part of the key: compared case-blind

	entries   []entry
	rest      []int // positions of the entries that are not of the key
	clearText string
	strict    bool
	mandatory []int // positions in Fields that must not end empty
	unfilled  []string
	created   []Created

	headers []string                               // of the source
	scripts map[string][]script.Source             // by their moment
	answers bool                                   // some fields have source scripts
	apart   bool                                   // some source script does more than to make a value
	aliased bool                                   // some script names columns with u_ before them
	columns [][2]int                               // of the source, as fields of the row that scripts see: by its name, and with u_
	run     *Run                                   // of the transaction under way
	learn   func(r *references, text string) error // looks up what a script answered
}

// entry is one compiled field map.
type entry struct {
	source   int // position of the source column; -1 for a constant
	column   string
	constant record.Value
	field    *record.Field
	convert  func(text string) (string, error) // nil: the text is the value
	action   string                            // choice or reference action
	refs     *references                       // set on reference fields
	plain    bool                              // any text is a value
	same     bool                              // a text that the record holds already is the value
	key      bool                              // part of the key
	keyEmpty bool                              // coalesceEmptyFields
	script   *script.Source                    // makes the source text
	free     bool                              // not filled by the map; scripts may
}

// Created is a referenced record that a row asks to be created, because its map says choiceAction: create.
type Created struct {
	Table *record.Table
	ID    string
	Field string
	Value string
}

// Compile checks a map against the columns of its source and its target table, and readies it.
func Compile(def Def, headers []string, target *record.Table) (*Map, error) {
	m := &Map{Def: def, Target: target, strict: def.Mode == "strict", clearText: def.ClearValue}
	if m.strict && m.clearText == "" {
		m.clearText = "NULL" // the platform's reserved word
	}
	m.headers = headers
	if err := m.bindScripts(); err != nil {
		return nil, err
	}
	zone, err := loadZone(def.Zone)
	if err != nil {
		return nil, err
	}
	for i := range def.Fields {
		if err := m.add(&def.Fields[i], headers, zone); err != nil {
			return nil, fault.During("map "+def.Title(), err)
		}
	}
	if m.IDKey() >= 0 && len(m.Key) > 1 {
		return nil, fault.New(fault.Invalid, "map %s: a script that finds the sys_id is the whole key", def.Title()).
			WithHint("leave coalesce to the field sys_id alone")
	}
	if m.RowScripts() {
		m.widen()
	}
	m.findMandatory()
	for i := range m.entries {
		if !m.entries[i].key {
			m.rest = append(m.rest, i)
		}
	}
	return m, nil
}

// Title is the map's name, or "-> table".
func (d *Def) Title() string {
	if d.Name != "" {
		return d.Name
	}
	return "-> " + d.TargetTable
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fault.New(fault.Invalid, "time zone %q is not known", name).WithHint("use an IANA name such as Europe/Berlin")
	}
	return zone, nil
}

func (m *Map) add(d *FieldDef, headers []string, zone *time.Location) error {
	f := m.Target.Field(d.Target)
	if f == nil {
		return m.unknownField(d.Target)
	}
	byID := f.Name == record.SysID && d.Coalesce && d.UseSourceScript
	if record.IsSystemField(f.Name) && f.Name != record.SysClassName && !byID {
		return fault.New(fault.Invalid, "field %s is kept by the system and cannot be mapped", f.Name)
	}
	if slices.Contains(m.Fields, f.Name) {
		return fault.New(fault.Invalid, "field %s is mapped twice", f.Name)
	}
	e := entry{source: -1, column: d.SourceField, field: f, action: d.ChoiceAction, key: d.Coalesce, keyEmpty: d.CoalesceEmptyFields}
	if e.action == "" {
		e.action = "reject"
		if m.strict {
			e.action = "create"
		}
	}
	var err error
	if e.convert, err = m.converter(d, f, zone); err != nil {
		return err
	}
	if err := m.bindSource(&e, d, headers); err != nil {
		return err
	}
	if f.Type == record.Reference && f.Reference != "" {
		if e.refs, err = newReferences(m.Target, f, d.ReferenceValueField); err != nil {
			return err
		}
	}
	e.same = e.refs == nil && d.DateFormat == "" && d.Constant == nil && e.script == nil
	e.plain = e.convert == nil && e.refs == nil && len(f.Choices) == 0
	if d.Coalesce {
		m.Key = append(m.Key, len(m.Fields))
		m.Fold = append(m.Fold, !d.CoalesceCaseSensitive && f.Type.Kind() == query.Text && !byID)
	}
	m.Fields = append(m.Fields, f.Name)
	m.entries = append(m.entries, e)
	return nil
}

func (m *Map) unknownField(name string) error {
	f := fault.New(fault.Invalid, "table %s has no field %q", m.Target.Name, name)
	if near := record.Nearest(name, m.Target.Names()); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("`headrace table describe %s` lists its fields", m.Target.Name)
}

// MissingColumn says that a map names a column the source does not have.
type MissingColumn struct {
	Column  string
	Headers []string
	key     bool
}

// Error makes MissingColumn an error.
func (e *MissingColumn) Error() string {
	if e.key {
		return fmt.Sprintf("the coalesce field reads column %q, which the source does not have", e.Column)
	}
	return fmt.Sprintf("the source has no column %q", e.Column)
}

// Clone gives a map that remembers nothing of references yet, for use on another goroutine.
func (m *Map) Clone() *Map {
	c := *m
	c.created, c.run, c.learn = nil, nil, nil
	c.entries = slices.Clone(m.entries)
	for i := range c.entries {
		if r := c.entries[i].refs; r != nil {
			c.entries[i].refs = &references{table: r.table, field: r.field, fold: r.fold, known: map[string]string{}, many: map[string]int{}}
		}
	}
	return &c
}

func (m *Map) bindSource(e *entry, d *FieldDef, headers []string) error {
	if d.UseSourceScript {
		m.scriptField(e, d)
		return nil
	}
	if d.Constant != nil {
		v, err := constantValue(e, *d.Constant)
		e.constant = v
		return err
	}
	return e.bind(headers)
}

func (e *entry) bind(headers []string) error {
	if e.source = FindColumn(headers, e.column); e.source >= 0 {
		e.column = headers[e.source]
		return nil
	}
	missing := &MissingColumn{Column: e.column, Headers: headers, key: e.key}
	f := fault.Wrap(fault.Invalid, missing, "%s", missing.Error())
	if near := record.Nearest(e.column, headers); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("its columns: %s", strings.Join(headers[:min(len(headers), 30)], ", "))
}

func constantValue(e *entry, text string) (record.Value, error) {
	if text == "" || e.convert == nil {
		return record.Value{Text: text, Valid: text != ""}, nil
	}
	out, err := e.convert(text)
	if err != nil {
		return record.Null, fault.Wrap(fault.Invalid, err, "the constant of field %s", e.field.Name)
	}
	return record.Text(out), nil
}

// converter gives the function that reads a source text, or nil where the text is the value already.
func (m *Map) converter(d *FieldDef, f *record.Field, zone *time.Location) (func(string) (string, error), error) {
	isDate := f.Type.Stored() == record.Date || f.Type.Stored() == record.DateTime
	if d.Zone != "" {
		var err error
		if zone, err = loadZone(d.Zone); err != nil {
			return nil, err
		}
	}
	switch {
	case d.DateFormat != "" && !isDate:
		return nil, fault.New(fault.Invalid, "field %s is %s, so dateFormat means nothing", f.Name, f.Type)
	case d.DateFormat != "":
		r, err := newDateReader(d.DateFormat, zone, f, m.strict)
		if err != nil {
			return nil, err
		}
		return r.read, nil
	case isDate:
		return readISO(f, zone), nil
	case f.Type == record.Reference, f.Type == record.Choice && f.Length == 0, f.Type == record.String && f.Length == 0, f.Type == record.Secret:
		return nil, nil
	case m.strict && f.Length > 0 && f.Type.Kind() == query.Text:
		return func(text string) (string, error) { return cut(text, f.Length), nil }, nil
	}
	return f.Canonical, nil
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

// findMandatory lists what must not end empty, by the map's enforceMandatoryFields.
func (m *Map) findMandatory() {
	policy := m.Def.EnforceMandatoryFields
	if policy == "" && !m.strict {
		policy = "onlyMappedFields"
	}
	if policy == "" || policy == "no" {
		return
	}
	for i := range m.Target.Fields {
		f := &m.Target.Fields[i]
		if !f.Mandatory {
			continue
		}
		at := slices.Index(m.Fields, f.Name)
		switch {
		case at >= 0 && (!m.entries[at].free || policy == "allFields"):
			m.mandatory = append(m.mandatory, at)
		case at < 0 && policy == "allFields" && f.Default == "":
			m.unfilled = append(m.unfilled, f.Name)
		}
	}
}

// OnDuplicate is what happens to rows whose key another row of the source had before: skip, apply or reject.
func (m *Map) OnDuplicate() string { return m.policy(m.Def.OnDuplicate, "skip", "apply") }

// OnAmbiguous is what happens to a row whose key several records have: reject or first.
func (m *Map) OnAmbiguous() string { return m.policy(m.Def.OnAmbiguous, "reject", "first") }

func (m *Map) policy(said, safe, strict string) string {
	switch {
	case said != "":
		return said
	case m.strict:
		return strict
	}
	return safe
}

// Defaults gives the values of fields of new records that the map does not fill.
func (m *Map) Defaults() []record.Assignment {
	var out []record.Assignment
	for i := range m.Target.Fields {
		f := &m.Target.Fields[i]
		if f.Default != "" && !slices.Contains(m.Fields, f.Name) {
			out = append(out, record.Assignment{Field: f.Name, Value: record.Text(f.Default)})
		}
	}
	return out
}

// DefaultOf gives the default of the field at a position of Fields.
func (m *Map) DefaultOf(i int) record.Value {
	d := m.entries[i].field.Default
	return record.Value{Text: d, Valid: d != ""}
}

// Sources gives the position of the source column that feeds each of Fields; -1 where none does.
func (m *Map) Sources() []int {
	at := make([]int, len(m.entries))
	for i := range m.entries {
		at[i] = m.entries[i].source
	}
	return at
}
