package importset

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// ErrorTable is the view of the rows that were rejected.
const ErrorTable = "sys_import_set_row_error"

// viewStates are the fates in the words of the platform's staging tables.
var viewStates = map[Fate]string{Pending: "pending", Inserted: "inserted", Updated: "updated", Unchanged: "ignored", Skipped: "skipped", Rejected: "error"}

// rowFields are what every view of rows begins with.
func rowFields() []record.Field {
	state := field("sys_import_state", "State", record.Choice)
	for _, f := range []Fate{Pending, Inserted, Updated, Unchanged, Skipped, Rejected} {
		state.Choices = append(state.Choices, record.Option{Value: viewStates[f], Label: strings.ToUpper(viewStates[f][:1]) + viewStates[f][1:]})
	}
	return []record.Field{
		field(record.SysID, "Sys ID", record.Document),
		{Name: "sys_import_set", Label: "Set", Type: record.Reference, Reference: SetTable},
		field("sys_import_row", "Row", record.Integer), state,
		field("sys_import_state_comment", "Comment", record.String),
		field("sys_target_table", "Target table", record.String), field("sys_target_sys_id", "Target record", record.Document),
		field(record.SysCreatedOn, "Created", record.DateTime), field(record.SysCreatedBy, "Created by", record.String),
	}
}

// View describes a staging table, or the view of rejected rows, as a table whose records are its rows. A fault of kind
// NotFound when there is none of that name.
func (s *Service) View(ctx context.Context, name string) (*record.Table, error) {
	t := record.Table{Name: name, Extends: RowTable, Fields: rowFields()}
	if name == ErrorTable {
		t.Label = "Import set row error"
		t.Fields = append(t.Fields, field("error", "Error", record.Reference), field("source", "Staging table", record.String))
		return s.db.Catalog().View(t), nil
	}
	st, err := s.Staging(ctx, name)
	if err != nil {
		return nil, err
	}
	t.Label = cmp.Or(st.Label, st.Name)
	for i, column := range transform.ColumnNames(st.Columns) {
		if !slices.ContainsFunc(t.Fields, func(f record.Field) bool { return f.Name == column }) {
			t.Fields = append(t.Fields, field(column, st.Columns[i], record.String))
		}
	}
	return s.db.Catalog().View(t), nil
}

// Viewed yields the rows of a view in their order, each with every field of it. where narrows them as far as it says of
// which import set they are: the caller tests them.
func (s *Service) Viewed(ctx context.Context, view *record.Table, where query.Node) iter.Seq2[[]record.Value, error] {
	return func(yield func([]record.Value, error) bool) {
		sets, err := s.viewedSets(ctx, view, where)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, set := range sets {
			if more, err := s.viewSet(ctx, view, set, yield); err != nil || !more {
				if err != nil {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// viewedSets finds the import sets whose rows a view may show.
func (s *Service) viewedSets(ctx context.Context, view *record.Table, where query.Node) ([]*record.Record, error) {
	all := &query.And{}
	if view.Name != ErrorTable {
		all.Parts = append(all.Parts, &query.Term{Field: "table_name", Op: query.Equal, Values: []string{view.Name}})
	}
	for _, term := range query.Needed(where) {
		switch {
		case term.Field == "sys_import_set" && (term.Op == query.Equal || term.Op == query.In):
			all.Parts = append(all.Parts, &query.Term{Field: record.SysID, Op: term.Op, Values: term.Values})
		case term.Field == record.SysID && term.Op == query.Equal && len(term.Values) == 1:
			run, _, _ := parseRowKey(term.Values[0])
			all.Parts = append(all.Parts, &query.Term{Field: "run", Op: query.Equal, Values: []string{strconv.FormatInt(run, 10)}})
		}
	}
	return s.sets(ctx, all)
}

// viewSet yields the rows of one import set.
func (s *Service) viewSet(ctx context.Context, view *record.Table, set *record.Record, yield func([]record.Value, error) bool) (more bool, err error) {
	run, err := s.Run(ctx, whole(set, "run"))
	if err != nil {
		return false, err
	}
	var fates []Fate
	if view.Name == ErrorTable {
		fates = []Fate{Rejected}
	}
	columns := transform.ColumnNames(run.Columns)
	for staged, err := range s.Rows(ctx, run.Number, fates...) {
		if err != nil {
			return false, err
		}
		if !yield(viewRow(view, set, run, staged, columns), nil) {
			return false, nil
		}
	}
	return true, nil
}

func viewRow(view *record.Table, set *record.Record, run *Run, row *StagedRow, columns []string) []record.Value {
	known := map[string]string{record.SysID: RowKey(run.Number, row.Row), "sys_import_set": set.ID(), "sys_import_row": strconv.FormatInt(row.Row, 10),
		"sys_import_state": viewStates[row.Fate], "sys_target_table": run.Target, "sys_target_sys_id": row.Target,
		record.SysCreatedOn: set.Get(record.SysCreatedOn).Text, record.SysCreatedBy: cmp.Or(set.Get("pushed_by").Text, set.Get(record.SysCreatedBy).Text), "source": set.Get("table_name").Text}
	if row.Reject != nil {
		known["error"], known["sys_import_state_comment"] = row.Reject.Code, row.Reject.Msg
	}
	out := make([]record.Value, len(view.Fields))
	for i := range view.Fields {
		name := view.Fields[i].Name
		text, is := known[name]
		if at := slices.Index(columns, name); !is && at >= 0 && at < len(row.Cells) {
			out[i] = row.Cells[at]
			continue
		}
		out[i] = record.Value{Text: text, Valid: text != ""}
	}
	return out
}
