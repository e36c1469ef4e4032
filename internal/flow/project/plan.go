package project

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Plan is what applying a project would change.
type Plan struct {
	Project string   `json:"project"`
	Changes []Change `json:"changes"`
	// Notes say what is left as it is, and why.
	Notes []string `json:"notes,omitempty"`
}

// Change is one record that would be made, changed or removed.
type Change struct {
	Operation record.Operation `json:"operation"`
	Kind      string           `json:"kind"`
	Name      string           `json:"name"`
	Table     string           `json:"table"`
	ID        string           `json:"sysId"`
	Place     string           `json:"place,omitempty"` // where the file says so
	Fields    []FieldChange    `json:"fields,omitempty"`

	item   *Item
	values []record.Assignment
}

// FieldChange is one property that differs. Of secrets neither value is told.
type FieldChange struct {
	Property string `json:"property"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Secret   bool   `json:"secret,omitempty"`
}

// Count tells how many records a plan would make, change and remove.
func (p *Plan) Count() (inserted, updated, deleted int) {
	for _, c := range p.Changes {
		switch c.Operation {
		case record.Inserted:
			inserted++
		case record.Updated:
			updated++
		case record.Deleted:
			deleted++
		}
	}
	return inserted, updated, deleted
}

// Plan compares a project with the records that there are. A project with mistakes is refused.
func (s *Service) Plan(ctx context.Context, p *Project) (plan *Plan, err error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	err = s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		plan, _, err = s.planIn(ctx, tx, p)
		return err
	})
	return plan, during(ctx, "project "+p.Name, err)
}

// planner compares one project within one transaction.
type planner struct {
	*Service
	tx      record.Tx
	project *Project
	plan    *Plan
	owners  map[string]string // project by record
	ids     map[*Item]string
	rows    map[*Item]*record.Record
}

func (s *Service) planIn(ctx context.Context, tx record.Tx, p *Project) (*Plan, *planner, error) {
	n := &planner{Service: s, tx: tx, project: p, plan: &Plan{Project: p.Name, Changes: []Change{}}, owners: map[string]string{}, ids: map[*Item]string{}, rows: map[*Item]*record.Record{}}
	if err := s.planTables(p, n.plan); err != nil {
		return nil, nil, err
	}
	owned, err := selectAll(ctx, tx, s.cfg.DB.Catalog().Table(OwnedTable), "", "")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range owned {
		n.owners[r.Get("record").Text] = r.Get("project").Text
	}
	if err := n.find(ctx); err != nil {
		return nil, nil, err
	}
	for _, it := range p.Items {
		if err := n.compare(ctx, it); err != nil {
			return nil, nil, err
		}
	}
	if err := n.removeParts(ctx); err != nil {
		return nil, nil, err
	}
	return n.plan, n, n.removeOwned(ctx, owned)
}

// find settles which record each item is: the one of its name, whoever made it, or else a new one.
func (n *planner) find(ctx context.Context) error {
	for _, level := range n.levels() {
		for table, items := range byTable(level) {
			if err := n.findIn(ctx, table, items); err != nil {
				return err
			}
		}
	}
	return nil
}

// levels gives the items by how deep they stand in their files.
func (n *planner) levels() [][]*Item {
	var out [][]*Item
	for _, it := range n.project.Items {
		depth := 0
		for at := it.Parent; at != nil; at = at.Parent {
			depth++
		}
		for len(out) <= depth {
			out = append(out, nil)
		}
		out[depth] = append(out[depth], it)
	}
	return out
}

func byTable(items []*Item) map[string][]*Item {
	out := map[string][]*Item{}
	for _, it := range items {
		out[it.Table.Name] = append(out[it.Table.Name], it)
	}
	return out
}

func (n *planner) findIn(ctx context.Context, table string, items []*Item) error {
	t := n.cfg.DB.Catalog().Table(table)
	field, values := items[0].Shape.Key, []string{}
	for _, it := range items {
		if it.Parent != nil {
			field = it.Part.Parent
			values = append(values, n.ids[it.Parent])
		} else {
			values = append(values, it.Name)
		}
	}
	have, err := selectAll(ctx, n.tx, t, field, values...)
	if err != nil {
		return err
	}
	parts := siblings(have, items[0])
	for _, it := range items {
		key := it.Name
		if it.Parent != nil {
			key = n.ids[it.Parent] + "\x00" + it.Name
		}
		r := parts[key]
		n.ids[it] = it.ID()
		if r == nil {
			continue
		}
		n.rows[it], n.ids[it] = r, r.ID()
		if owner := n.owners[r.ID()]; owner != "" && owner != n.project.Name {
			return it.Node.Fault("%s belongs to the project %s", it.Title(), owner).WithHint("give one of the two another name")
		}
	}
	return nil
}

// siblings gives records by what tells them apart: the name, with the parent before it, or the place in a list, which is
// that among their ids.
func siblings(have []*record.Record, like *Item) map[string]*record.Record {
	out := map[string]*record.Record{}
	counts := map[string]int{}
	for _, r := range have {
		key := ""
		if like.Parent != nil {
			key = r.Get(like.Part.Parent).Text + "\x00"
		}
		counts[key]++
		if like.Shape.Key == "" {
			key += strconv.Itoa(counts[key])
		} else {
			key += r.Get(like.Shape.Key).Text
		}
		if out[key] == nil {
			out[key] = r
		}
	}
	return out
}

// compare plans what becomes of the record of one item.
func (n *planner) compare(ctx context.Context, it *Item) error {
	c := Change{Operation: record.Inserted, Kind: it.Kind.Name, Name: it.Path(), Table: it.Table.Name, ID: n.ids[it], Place: it.Node.Place(), item: it}
	have := n.rows[it]
	if have != nil {
		c.Operation = record.Updated
	}
	if it.Parent != nil {
		c.values = append(c.values, record.Assignment{Field: it.Part.Parent, Value: record.Text(n.ids[it.Parent])})
	}
	for i := range it.Values {
		if err := n.compareValue(ctx, &c, &it.Values[i], have); err != nil {
			return err
		}
	}
	if have == nil || len(c.Fields) > 0 {
		n.plan.Changes = append(n.plan.Changes, c)
	}
	return nil
}

func (n *planner) compareValue(ctx context.Context, c *Change, v *Value, have *record.Record) error {
	if v.Field.Type == record.Secret {
		return n.compareSecret(c, v, have)
	}
	value, err := n.resolve(ctx, v)
	if err != nil {
		return err
	}
	old := record.Null
	if have != nil {
		old = have.Get(v.Field.Name)
	}
	if value.Same(old) {
		if have == nil && v.Field.Default != "" { // an empty value is written where a default would come else
			c.values = append(c.values, record.Assignment{Field: v.Field.Name, Value: value})
		}
		return nil
	}
	c.values = append(c.values, record.Assignment{Field: v.Field.Name, Value: value})
	if have == nil && value.Same(preset(v.Field)) {
		return nil
	}
	c.Fields = append(c.Fields, FieldChange{Property: v.Property, Old: n.shown(v, old), New: n.shown(v, value)})
	return nil
}

// shown is a value as a file writes it: references by the names in the file.
func (n *planner) shown(v *Value, value record.Value) string {
	if len(v.Reference) > 0 && value.Valid {
		return strings.Join(v.Reference, ", ")
	}
	return value.Text
}

// compareSecret finds whether a secret is the one referred to. One that cannot be looked up here stays as it is.
func (n *planner) compareSecret(c *Change, v *Value, have *record.Record) error {
	old := ""
	if have != nil {
		old = have.Get(v.Field.Name).Text
	}
	if v.Secret == "" {
		if old != "" {
			c.values = append(c.values, record.Assignment{Field: v.Field.Name})
			c.Fields = append(c.Fields, FieldChange{Property: v.Property, Secret: true})
		}
		return nil
	}
	now, found, err := n.secret(v.Secret)
	switch {
	case err != nil:
		return err
	case !found && old != "":
		n.plan.Notes = append(n.plan.Notes, c.Kind+" "+c.Name+": "+v.Property+" stays as it is, ${"+v.Secret+"} is not set here")
		return nil
	case !found:
		return v.At.Fault("the secret ${%s} is not set", v.Secret).WithHint("set the environment variable %s, or %s_FILE to a file that holds it", variableOf(v.Secret), variableOf(v.Secret))
	}
	if old != "" && n.cfg.Open != nil {
		if old, err = n.cfg.Open(old); err != nil {
			return err
		}
	}
	if old != now {
		c.values = append(c.values, record.Assignment{Field: v.Field.Name, Value: record.Text(now)})
		c.Fields = append(c.Fields, FieldChange{Property: v.Property, Secret: true})
	}
	return nil
}

// resolve gives the value of a field, references looked up: in the project first, then among the records.
func (n *planner) resolve(ctx context.Context, v *Value) (record.Value, error) {
	if len(v.Reference) == 0 {
		return v.Value, nil
	}
	var ids []string
	for _, name := range v.Reference {
		id, err := n.lookUp(ctx, v, name)
		if err != nil {
			return record.Null, err
		}
		ids = append(ids, id)
	}
	return record.Text(strings.Join(ids, ",")), nil
}

func (n *planner) lookUp(ctx context.Context, v *Value, name string) (string, error) {
	if it := n.project.item(v.Field.Reference, name); it != nil {
		return n.ids[it], nil
	}
	t := n.cfg.DB.Catalog().Table(v.Field.Reference)
	if t == nil {
		return "", v.At.Fault("%s refers to the table %s, which is not there", v.Property, v.Field.Reference)
	}
	for _, field := range []string{keyOf(n.kinds, t), record.SysID} {
		found, err := selectAll(ctx, n.tx, t, field, name)
		if err != nil {
			return "", err
		}
		if len(found) > 1 {
			return "", v.At.Fault("%s: %d records of %s are called %q", v.Property, len(found), t.Name, name)
		}
		if len(found) == 1 {
			return found[0].ID(), nil
		}
	}
	if v.Field.Name == "run_as" && name == record.System.Name { // who is no record
		return record.System.ID, nil
	}
	f := v.At.Fault("%s: no record of %s is called %q", v.Property, t.Name, name)
	if near := record.Nearest(name, n.project.names(t.Name)); near != "" {
		return "", f.WithHint("did you mean %q?", near)
	}
	return "", f
}

// keyOf is the field by which records of a table are referred to.
func keyOf(kinds []Kind, t *record.Table) string {
	for i := range kinds {
		if kinds[i].Table == t.Name {
			return kinds[i].Key
		}
	}
	if t.Field("user_name") != nil {
		return "user_name"
	}
	return t.DisplayField().Name
}

// selectAll reads the records of t that have one of the values in a field, or all of them, oldest first.
func selectAll(ctx context.Context, tx record.Tx, t *record.Table, field string, values ...string) ([]*record.Record, error) {
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysID}}}
	if field != "" {
		q.Keys = &record.Keys{Fields: []string{field}, Fold: []bool{false}}
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			q.Keys.Tuples = append(q.Keys.Tuples, record.Text(v))
		}
	}
	var out []*record.Record
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, fault.During("table "+t.Name, err)
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	return out, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
