package transform

import (
	"context"
	"fmt"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// references finds the records that the texts of one source column refer to, and remembers them.
type references struct {
	table *record.Table
	field string // matched field of the referenced table
	fold  bool
	known map[string]string // folded text -> id; "" when there is none
	many  map[string]int    // texts that several records have
}

// mostKnown bounds the memory of one column's references; beyond it they are forgotten and looked up anew.
const mostKnown = 100_000

func newReferences(from *record.Table, f *record.Field, matched string) (*references, error) {
	t := from.Catalog().Table(f.Reference)
	if t == nil {
		return nil, fault.New(fault.Invalid, "field %s refers to table %s, which does not exist", f.Name, f.Reference)
	}
	if matched == "" {
		matched = t.DisplayField().Name
	}
	by := t.Field(matched)
	if by == nil {
		return nil, fault.New(fault.Invalid, "referenceValueField %q is no field of table %s", matched, t.Name)
	}
	return &references{table: t, field: matched, fold: by.Type.Kind() == query.Text && matched != record.SysID,
		known: map[string]string{}, many: map[string]int{}}, nil
}

func (r *references) key(text string) string {
	if r.fold {
		return query.Fold(text)
	}
	return text
}

// Prepare looks up what the rows refer to, one look-up for each reference column. It must be called before the fields of the rows are transformed.
func (m *Map) Prepare(ctx context.Context, find Finder, rows [][]record.Value) error {
	m.learn = func(r *references, text string) error { return r.learnNew(ctx, find, []string{text}) }
	for i := range m.entries {
		e := &m.entries[i]
		if e.refs == nil || e.script != nil {
			continue
		}
		if err := e.refs.prepare(ctx, find, e, rows); err != nil {
			return err
		}
	}
	return nil
}

func (r *references) prepare(ctx context.Context, find Finder, e *entry, rows [][]record.Value) error {
	if len(r.known) > mostKnown {
		r.known, r.many = map[string]string{}, map[string]int{}
	}
	if e.source < 0 {
		return r.learnNew(ctx, find, []string{e.constant.Text})
	}
	texts := make([]string, 0, len(rows))
	for _, row := range rows {
		if e.source < len(row) {
			texts = append(texts, row[e.source].Text)
		}
	}
	return r.learnNew(ctx, find, texts)
}

// learnNew looks up those of the texts that are not known yet.
func (r *references) learnNew(ctx context.Context, find Finder, all []string) error {
	var texts, ids []string
	asked := map[string]bool{}
	for _, text := range all {
		key := r.key(text)
		if _, known := r.known[key]; known || asked[key] || text == "" {
			continue
		}
		asked[key] = true
		if looksLikeID(text) {
			ids = append(ids, text)
		}
		texts = append(texts, key)
	}
	if err := r.learn(ctx, find, r.field, r.fold, texts); err != nil {
		return err
	}
	return r.learn(ctx, find, record.SysID, false, ids)
}

func (r *references) learn(ctx context.Context, find Finder, field string, fold bool, texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	found, err := find.Find(ctx, r.table, field, fold, texts)
	if err != nil {
		return err
	}
	for _, text := range texts {
		switch ids := found[text]; {
		case len(ids) > 0:
			r.known[text] = ids[0]
			if len(ids) > 1 {
				r.many[text] = len(ids)
			}
		case r.known[text] == "":
			r.known[text] = ""
		}
	}
	return nil
}

func looksLikeID(text string) bool {
	if len(text) != 32 {
		return false
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// reference resolves text to the id of a record.
func (m *Map) reference(e *entry, text string, out *record.Value) *Reject {
	r := e.refs
	key := r.key(text)
	id := r.known[key]
	if n := r.many[key]; n > 1 && m.OnAmbiguous() == "reject" {
		return &Reject{Code: "reference_ambiguous", Column: e.column, Field: e.field.Name, Value: record.Clip(text),
			Msg: fmt.Sprintf("several records of %s have this %s", r.table.Name, r.field), Hint: "choose another referenceValueField"}
	}
	if id != "" {
		*out = record.Text(id)
		return nil
	}
	switch e.action {
	case "ignore":
		*out = Keep
	case "create":
		if keep, reject := m.mayCreate(OnForeignInsert, e, text); keep || reject != nil {
			*out = Keep
			return reject
		}
		id = record.NewID()
		r.known[key] = id
		m.created = append(m.created, Created{Table: r.table, ID: id, Field: r.field, Value: text})
		*out = record.Text(id)
	default:
		return &Reject{Code: "reference_rejected", Column: e.column, Field: e.field.Name, Value: record.Clip(text),
			Msg:  fmt.Sprintf("no record of %s has this %s", r.table.Name, r.field),
			Hint: "load those first, or choiceAction: ignore or create"}
	}
	return nil
}

// TakeCreated gives the referenced records that rows asked for since the last call.
func (m *Map) TakeCreated() []Created {
	c := m.created
	m.created = nil
	return c
}

// Forget drops what is remembered of references, after a transaction that was to create some has failed.
func (m *Map) Forget() {
	m.created = nil
	for i := range m.entries {
		if r := m.entries[i].refs; r != nil {
			r.known, r.many = map[string]string{}, map[string]int{}
		}
	}
}

// Lookup is a field of a table by which a map looks records up.
type Lookup struct {
	Table, Field string
	Fold         bool
}

// Lookups lists the look-ups that a map makes in the tables it refers to.
func Lookups(def Def, c *record.Catalog) []Lookup {
	target := c.Table(def.TargetTable)
	if target == nil {
		return nil
	}
	var out []Lookup
	for i := range def.Fields {
		f := target.Field(def.Fields[i].Target)
		if f == nil || f.Type != record.Reference || f.Reference == "" {
			continue
		}
		if r, err := newReferences(target, f, def.Fields[i].ReferenceValueField); err == nil {
			out = append(out, Lookup{Table: r.table.Name, Field: r.field, Fold: r.fold})
		}
	}
	return out
}
