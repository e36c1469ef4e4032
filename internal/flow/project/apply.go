package project

import (
	"context"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
)

// Apply brings the records to what the project says, in one transaction, and tells what it changed. A project with
// mistakes changes nothing.
func (s *Service) Apply(ctx context.Context, p *Project) (plan *Plan, err error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx = schedule.LetPast(ctx)
	err = s.session().Write(ctx, func(w *record.Writer) error {
		var n *planner
		if plan, n, err = s.planIn(ctx, w.Tx(), p); err != nil {
			return err
		}
		if err := s.applyTables(ctx, w, p); err != nil {
			return err
		}
		for i := range plan.Changes {
			if err := plan.Changes[i].write(ctx, w, s.cfg.DB.Catalog()); err != nil {
				return fault.During(plan.Changes[i].Place, err)
			}
		}
		return n.own(ctx, w)
	})
	return plan, during(ctx, "project "+p.Name, err)
}

func (c *Change) write(ctx context.Context, w *record.Writer, catalog *record.Catalog) error {
	t := catalog.Table(c.Table)
	switch {
	case c.Kind == tableKind:
		return nil
	case c.Operation == record.Deleted:
		return w.Delete(ctx, t, c.ID)
	case c.Operation == record.Inserted:
		_, err := w.Insert(ctx, t, append(c.values, record.Assignment{Field: record.SysID, Value: record.Text(c.ID)}))
		return err
	}
	_, _, err := w.Update(ctx, t, c.ID, c.values)
	return err
}

// removeParts plans the removal of parts that stand in no file any more: of a record that a project describes, it
// describes all.
func (n *planner) removeParts(ctx context.Context) error {
	keep := map[string]bool{}
	for _, id := range n.ids {
		keep[id] = true
	}
	for _, it := range n.project.Items {
		if n.rows[it] == nil {
			continue
		}
		if err := n.removeBelow(ctx, it.Kind.Name, it.Path(), it.Shape, n.ids[it], keep); err != nil {
			return err
		}
	}
	return nil
}

// removeBelow plans the removal of the parts of one record, but for those to keep, and of the parts of these.
func (n *planner) removeBelow(ctx context.Context, kind, name string, s *Shape, id string, keep map[string]bool) error {
	for i := range s.Parts {
		p := &s.Parts[i]
		parts, err := selectAll(ctx, n.tx, n.cfg.DB.Catalog().Table(p.Table), p.Parent, id)
		if err != nil {
			return err
		}
		for _, r := range parts {
			if keep[r.ID()] {
				continue
			}
			title := name + "/" + r.Get(p.Key).Text
			if err := n.removeBelow(ctx, kind, title, &p.Shape, r.ID(), keep); err != nil {
				return err
			}
			n.plan.Changes = append(n.plan.Changes, Change{Operation: record.Deleted, Kind: kind, Name: title, Table: p.Table, ID: r.ID()})
		}
	}
	return nil
}

// removeOwned plans the removal of what the project once had and has no longer.
func (n *planner) removeOwned(ctx context.Context, owned []*record.Record) error {
	for _, o := range owned {
		id := o.Get("record").Text
		if o.Get("project").Text != n.project.Name || n.has(id) {
			continue
		}
		kind := n.kindOf(o.Get("table_name").Text)
		if kind == nil {
			continue
		}
		found, err := selectAll(ctx, n.tx, n.cfg.DB.Catalog().Table(kind.Table), record.SysID, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		name := found[0].Get(kind.Key).Text
		if err := n.removeBelow(ctx, kind.Name, name, &kind.Shape, id, nil); err != nil {
			return err
		}
		n.plan.Changes = append(n.plan.Changes, Change{Operation: record.Deleted, Kind: kind.Name, Name: name, Table: kind.Table, ID: id})
	}
	return nil
}

func (n *planner) has(id string) bool {
	return slices.ContainsFunc(n.project.Items, func(it *Item) bool { return it.Parent == nil && n.ids[it] == id })
}

func (s *Service) kindOf(table string) *Kind {
	for _, k := range s.present() {
		if k.Table == table {
			return k
		}
	}
	return nil
}

// own notes which records the project has now, and forgets those it has no more.
func (n *planner) own(ctx context.Context, w *record.Writer) error {
	t := n.cfg.DB.Catalog().Table(OwnedTable)
	for _, it := range n.project.Items {
		if it.Parent != nil || n.owners[n.ids[it]] != "" {
			continue
		}
		_, err := w.Insert(ctx, t, []record.Assignment{{Field: "project", Value: record.Text(n.project.Name)}, {Field: "table_name", Value: record.Text(it.Table.Name)},
			{Field: "record", Value: record.Text(n.ids[it])}, {Field: "name", Value: record.Text(it.Name)}})
		if err != nil {
			return err
		}
	}
	owned, err := selectAll(ctx, n.tx, t, "project", n.project.Name)
	if err != nil {
		return err
	}
	for _, o := range owned {
		if n.has(o.Get("record").Text) {
			continue
		}
		if err := w.Delete(ctx, t, o.ID()); err != nil {
			return err
		}
	}
	return nil
}
