package access

import (
	"context"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// entries says which journal entries the actor may read, besides what the rules on the journal itself say: those of
// records that he may read, in fields that he may read there.
func (s *Service) entries(ctx context.Context, actor record.Actor) (record.Permit, error) {
	catalog := s.db.Catalog()
	any := &query.Or{}
	for _, name := range catalog.Names() {
		t := catalog.Table(name)
		fields := journals(t)
		if len(fields) == 0 {
			continue
		}
		records, err := s.Records(ctx, actor, t, record.Read)
		if err != nil {
			return record.Permit{}, err
		}
		permits, err := s.Fields(ctx, actor, t, record.Read)
		if err != nil {
			return record.Permit{}, err
		}
		for _, field := range fields {
			if permit := records.And(permits[field]); !permit.Denied {
				any.Parts = append(any.Parts, entriesOf(t, field, permit.Where))
			}
		}
	}
	return record.Permit{Denied: len(any.Parts) == 0, Where: any}, nil
}

// journals lists the fields of t whose entries the journal keeps.
func journals(t *record.Table) []string {
	var out []string
	for i := range t.Fields {
		if t.Fields[i].Type.IsJournal() {
			out = append(out, t.Fields[i].Name)
		}
	}
	return out
}

// entriesOf is the condition of the entries written by way of a table to a field of records that meet where.
func entriesOf(t *record.Table, field string, where query.Node) query.Node {
	parts := []query.Node{equal("name", t.Name), equal("element", field)}
	if where != nil {
		parts = append(parts, &query.Exists{Field: "element_id", Table: t.Name, Path: record.SysID, Where: where})
	}
	return all(parts...)
}
