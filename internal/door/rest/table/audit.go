package table

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// AuditTable is the view of change rows, one record for each field that was changed.
const AuditTable = "sys_audit"

// auditTable describes the view. Changes of records that were deleted are among it, and the deletion itself.
func auditTable() record.Table {
	text := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	return record.Table{Name: AuditTable, Label: "Audit", Fields: []record.Field{
		{Name: record.SysID, Label: "Sys ID", Type: record.Document}, text("tablename", "Table name"),
		{Name: "documentkey", Label: "Document key", Type: record.Document}, text("fieldname", "Field name"), text("oldvalue", "Old value"),
		text("newvalue", "New value"), text("user", "User"), {Name: "record_checkpoint", Label: "Update count", Type: record.Integer},
		text("reason", "Reason"), {Name: record.SysCreatedOn, Label: "Created", Type: record.DateTime}, text(record.SysCreatedBy, "Created by")}}
}

// changed is one change row.
type changed struct {
	sequence, table, record, operation, actor, at, count string
	old                                                  map[string]record.Value
}

// auditNames says which field of a change row holds what the audit tells.
var auditNames = map[string]string{"tablename": "table_name", "documentkey": "record", "user": "actor", record.SysCreatedBy: "actor", record.SysCreatedOn: "at"}

// deletion is what the audit calls the field of a record that was deleted, and its value then.
const deletion = "DELETED"

// auditPage is how many change rows are read in one go.
const auditPage = 500

// audit yields the audit of records that the caller may read, in the order of the changes.
func audit(ctx context.Context, s record.Session, catalog *record.Catalog, where query.Node) iter.Seq2[[]record.Value, error] {
	return func(yield func([]record.Value, error) bool) {
		after := ""
		for {
			page, err := changes(ctx, s, catalog, auditCondition(where, after), auditPage)
			if err == nil && len(page) == 0 {
				return
			}
			var lines [][]record.Value
			if err == nil {
				after = page[len(page)-1].sequence
				lines, err = auditLines(ctx, s, catalog, page)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
		}
	}
}

// auditCondition narrows change rows by what every record of the audit must meet.
func auditCondition(where query.Node, after string) query.Node {
	all := &query.And{Parts: []query.Node{&query.Term{Field: "operation", Op: query.NotEqual, Values: []string{string(record.Inserted)}}}}
	for _, term := range query.Needed(where) {
		name, known := auditNames[term.Field]
		switch {
		case term.Field == record.SysID && term.Op == query.Equal && len(term.Values) == 1 && len(term.Values[0]) == 32:
			prefix := term.Values[0][:29]
			all.Parts = append(all.Parts, &query.Term{Field: "sequence", Op: query.Between, Values: []string{prefix + "000", prefix + "fff"}})
		case !known || term.Op != query.Equal && term.Op != query.In && name != "at":
		case name != "at" || term.Op == query.Greater || term.Op == query.GreaterEqual || term.Op == query.Less || term.Op == query.LessEqual || term.Op == query.Between:
			all.Parts = append(all.Parts, &query.Term{Field: name, Op: term.Op, Values: term.Values})
		}
	}
	if after != "" {
		all.Parts = append(all.Parts, &query.Term{Field: "sequence", Op: query.Greater, Values: []string{after}})
	}
	return all
}

func changes(ctx context.Context, s record.Session, catalog *record.Catalog, where query.Node, limit int) ([]changed, error) {
	q := &record.Query{Table: catalog.Table(record.ChangeTable), Where: where, OrderBy: []query.Order{{Field: "sequence"}}, Limit: limit,
		Fields: []string{"sequence", "table_name", "record", "operation", "actor", "at", "mod_count", "old"}}
	var out []changed
	for row, err := range s.Trusted().Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		c := changed{row[0].Text, row[1].Text, row[2].Text, row[3].Text, row[4].Text, row[5].Text, row[6].Text, nil}
		if c.old, err = record.DecodeOld(row[7].Text); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// auditLines makes the audit of a page of changes. What a field became is what the next change of it found, or what it is
// now.
func auditLines(ctx context.Context, s record.Session, catalog *record.Catalog, page []changed) ([][]record.Value, error) {
	byTable := map[string][]string{}
	for _, c := range page {
		byTable[c.table] = append(byTable[c.table], c.record)
	}
	var ids []string
	seen := map[string]*seenTable{}
	for name, list := range byTable {
		slices.Sort(list)
		list = slices.Compact(list)
		ids = append(ids, list...)
		var err error
		if seen[name], err = see(ctx, s, catalog.Table(name), list); err != nil {
			return nil, err
		}
	}
	history, err := changes(ctx, s, catalog, &query.Term{Field: "record", Op: query.In, Values: ids}, 0)
	if err != nil {
		return nil, err
	}
	byRecord := map[string][]changed{}
	for _, c := range history {
		byRecord[c.record] = append(byRecord[c.record], c)
	}
	var lines [][]record.Value
	for _, c := range page {
		lines = append(lines, c.lines(seen[c.table], byRecord[c.record])...)
	}
	return lines, nil
}

// seenTable is what the caller may see of some records of a table.
type seenTable struct {
	table  *record.Table
	all    bool // every record, those that are gone among them
	now    map[string]map[string]string
	hidden func(field, id string) bool
}

func see(ctx context.Context, s record.Session, t *record.Table, ids []string) (*seenTable, error) {
	v := &seenTable{table: t, now: map[string]map[string]string{}}
	if t == nil || t.Field(record.SysID) == nil {
		return v, nil
	}
	permit, err := s.Permit(ctx, t, record.Read)
	if err != nil {
		return nil, err
	}
	v.all = permit.Free()
	names := slices.DeleteFunc(t.Names(), func(n string) bool { return t.Field(n).Type == record.Secret })
	for row, err := range s.Select(ctx, &record.Query{Table: t, Fields: append(names, record.SysID), Where: &query.Term{Field: record.SysID, Op: query.In, Values: ids}}) {
		if err != nil {
			return nil, err
		}
		values := make(map[string]string, len(names))
		for i, name := range names {
			values[name] = row[i].Text
		}
		v.now[row[len(names)].Text] = values
	}
	v.hidden, err = s.Hidden(ctx, t, names, ids)
	return v, err
}

// lines are the records of the audit that one change makes.
func (c changed) lines(v *seenTable, history []changed) [][]record.Value {
	now, there := v.now[c.record]
	if v.table == nil || !there && !v.all {
		return nil
	}
	if c.operation == string(record.Deleted) {
		return [][]record.Value{c.line(4095, deletion, "", deletion)}
	}
	var out [][]record.Value
	for i := range v.table.Fields {
		name := v.table.Fields[i].Name
		old, was := c.old[name]
		if !was || v.hidden(name, c.record) {
			continue
		}
		out = append(out, c.line(i, name, old.Text, became(c, name, history, now[name])))
	}
	return out
}

// became is the value that a change gave a field.
func became(c changed, field string, history []changed, now string) string {
	for _, later := range history {
		if later.sequence <= c.sequence {
			continue
		}
		if old, was := later.old[field]; was || later.operation == string(record.Deleted) {
			return old.Text
		}
	}
	return now
}

// line is one record of the audit; its id is that of the change with the number of the field at its end.
func (c changed) line(number int, field, old, new string) []record.Value {
	digits := strconv.FormatInt(int64(number), 16)
	id := c.sequence[:29] + strings.Repeat("0", 3-len(digits)) + digits
	out := make([]record.Value, 0, 11)
	for _, text := range []string{id, c.table, c.record, field, old, new, c.actor, c.count, "", c.at, c.actor} {
		out = append(out, record.Value{Text: text, Valid: text != ""})
	}
	return out
}

// mostViewed is how many records of a view one call may look through: they are sorted in memory.
const mostViewed = 100_000

func tooMany(t *record.Table) error {
	return fault.New(fault.Limit, "the query looks at more than %d records of %s", mostViewed, t.Name).WithHint("name the record, the import set or a time")
}
