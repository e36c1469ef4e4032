package table

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// shown is what people see of the values of a page, as far as the values do not say it themselves.
type shown struct {
	catalog *record.Catalog
	zone    *time.Location
	refs    map[string]map[string]string // table, id: display value
	stream  map[entry]string             // journals
	secret  map[entry]bool               // secrets that are set
}

// entry is one field of one record.
type entry struct{ id, field string }

// look finds the display values for a page.
func look(ctx context.Context, s record.Session, o *rows) (*shown, error) {
	v := &shown{catalog: o.plan.table.Catalog(), zone: o.plan.zone, refs: map[string]map[string]string{}}
	wanted := map[string]map[string]bool{}
	for i := range o.plan.columns {
		if c := &o.plan.columns[i]; c.at >= 0 && c.field.Reference != "" {
			o.collect(wanted, c)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(wanted)) {
		if err := v.lookUp(ctx, s, table, slices.Sorted(maps.Keys(wanted[table])), 0); err != nil {
			return nil, err
		}
	}
	if err := v.lookUpJournals(ctx, s, o); err != nil {
		return nil, err
	}
	return v, v.lookUpSecrets(ctx, s, o)
}

// collect adds the ids that a column refers to.
func (o *rows) collect(wanted map[string]map[string]bool, c *column) {
	ids := wanted[c.field.Reference]
	if ids == nil {
		ids = map[string]bool{}
		wanted[c.field.Reference] = ids
	}
	for i := range o.count {
		for id := range strings.SplitSeq(o.row(i)[c.at].Text, ",") {
			if id != "" {
				ids[id] = true
			}
		}
	}
}

// deepestDisplay is how far a display value may itself refer to another record.
const deepestDisplay = 4

// lookUp reads the display values of records of a table.
func (v *shown) lookUp(ctx context.Context, s record.Session, table string, ids []string, depth int) error {
	t := v.catalog.Table(table)
	if t == nil || t.Field(record.SysID) == nil || len(ids) == 0 || depth > deepestDisplay {
		return nil
	}
	if v.refs[table] == nil {
		v.refs[table] = map[string]string{}
	}
	display := t.DisplayField()
	values := map[string]string{}
	keys := &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: texts(ids)}
	for row, err := range s.Select(ctx, &record.Query{Table: t, Fields: []string{record.SysID, display.Name}, Keys: keys}) {
		if err != nil {
			return err
		}
		values[row[0].Text] = row[1].Text
	}
	if display.Type == record.Reference {
		if err := v.lookUp(ctx, s, display.Reference, slices.Sorted(maps.Values(values)), depth+1); err != nil {
			return err
		}
	}
	for id, value := range values {
		v.refs[table][id] = v.plain(display, value)
	}
	return nil
}

func texts(ids []string) []record.Value {
	out := make([]record.Value, len(ids))
	for i, id := range ids {
		out[i] = record.Text(id)
	}
	return out
}

// lookUpJournals reads the entries of the journal fields of a page and joins them, the newest first.
func (v *shown) lookUpJournals(ctx context.Context, s record.Session, o *rows) error {
	labels := map[string]string{}
	for i := range o.plan.columns {
		if c := &o.plan.columns[i]; c.at >= 0 && c.field.Type.IsJournal() && c.path == c.field.Name {
			labels[c.path] = c.field.Label
		}
	}
	t := v.catalog.Table(record.JournalTable)
	if len(labels) == 0 || t == nil {
		return nil
	}
	v.stream = map[entry]string{}
	names := v.writers(ctx, s)
	keys := &record.Keys{Fields: []string{"element_id"}, Fold: []bool{false}, Tuples: texts(o.ids())}
	q := &record.Query{Table: t, Fields: []string{"element_id", "element", "value", record.SysCreatedOn, record.SysCreatedBy}, Keys: keys,
		OrderBy: []query.Order{{Field: record.SysCreatedOn, Desc: true}, {Field: record.SysID, Desc: true}}}
	var written [][]record.Value
	for row, err := range s.Trusted().Select(ctx, q) { // who may read the field may read what was written in it
		if err != nil {
			return err
		}
		written = append(written, slices.Clone(row))
	}
	for _, row := range written {
		label, ok := labels[row[1].Text]
		if !ok {
			continue
		}
		by, err := names(row[4].Text)
		if err != nil {
			return err
		}
		at := entry{row[0].Text, row[1].Text}
		v.stream[at] += record.LocalTime(row[3].Text, v.zone) + " - " + by + " (" + label + ")\n" + row[2].Text + "\n\n"
	}
	return nil
}

// writers gives what people see of a user name; each is looked up once.
func (v *shown) writers(ctx context.Context, s record.Session) func(user string) (string, error) {
	known := map[string]string{}
	t := v.catalog.Table("sys_user")
	return func(user string) (string, error) {
		if name, ok := known[user]; ok || t == nil || t.Field("user_name") == nil {
			return cmp.Or(name, user), nil
		}
		where := &query.Term{Field: "user_name", Op: query.Equal, Values: []string{user}}
		for row, err := range s.Select(ctx, &record.Query{Table: t, Fields: []string{t.DisplayField().Name}, Where: where, Limit: 1}) {
			if err != nil {
				return "", err
			}
			known[user] = row[0].Text
		}
		known[user] = cmp.Or(known[user], user)
		return known[user], nil
	}
}

// lookUpSecrets finds out which secrets are set; what they are is told to nobody.
func (v *shown) lookUpSecrets(ctx context.Context, s record.Session, o *rows) error {
	for i := range o.plan.columns {
		c := &o.plan.columns[i]
		if c.at < 0 || c.field.Type != record.Secret || o.plan.id < 0 {
			continue
		}
		if v.secret == nil {
			v.secret = map[entry]bool{}
		}
		q := &record.Query{Table: o.plan.table, Fields: []string{record.SysID}, Where: &query.Term{Field: c.path, Op: query.IsNotEmpty},
			Keys: &record.Keys{Fields: []string{record.SysID}, Fold: []bool{false}, Tuples: texts(o.ids())}}
		for row, err := range s.Trusted().Select(ctx, q) {
			if err != nil {
				return err
			}
			v.secret[entry{row[0].Text, c.path}] = true
		}
	}
	return nil
}

// stars stand for a secret.
const stars = "********"

// text is what people see of a value in a column of the record with that id.
func (v *shown) text(c *column, value, id string) string {
	switch {
	case c.field.Type.IsJournal():
		return v.stream[entry{id, c.path}]
	case c.field.Type == record.Secret && v.secret[entry{id, c.path}]:
		return stars
	case c.field.Type == record.Secret || value == "":
		return ""
	case c.at < 0:
		return value
	}
	return v.plain(c.field, value)
}

// plain is what people see of a value of a field.
func (v *shown) plain(f *record.Field, value string) string {
	if text := f.Shown(v.catalog, value, v.zone); text != value {
		return text
	}
	switch {
	case f.Type == record.Reference && (f.Reference != record.ObjectTable || v.catalog.Table(value) == nil):
		return v.refs[f.Reference][value]
	case f.Type == record.List && f.Reference != "":
		return v.list(f, value)
	}
	return value
}

func (v *shown) list(f *record.Field, value string) string {
	var names []string
	for id := range strings.SplitSeq(value, ",") {
		names = append(names, cmp.Or(v.refs[f.Reference][id], id))
	}
	return strings.Join(names, ", ")
}
