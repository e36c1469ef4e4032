package importset

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Names of the tables that describe staging tables and the maps that feed from them.
const (
	StagingTable = "sys_import_set_table" // one record per staging table: its name, columns and settings
	MapTable     = "sys_transform_map"
	EntryTable   = "sys_transform_entry"
	ScriptTable  = "sys_transform_script"
)

func stagingTables() []record.Table {
	text := func(name, label string) record.Field { return field(name, label, record.String) }
	flag := func(name, label, preset string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.Boolean, Default: preset}
	}
	number := func(name, label, preset string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.Integer, Default: preset}
	}
	name := record.Field{Name: "name", Label: "Name", Type: record.String, Display: true, Mandatory: true}
	unique := name
	unique.Unique = true
	of := record.Field{Name: "map", Label: "Map", Type: record.Reference, Reference: MapTable, Mandatory: true}
	return []record.Table{
		{Name: StagingTable, Label: "Import set table", Fields: []record.Field{unique, text("label", "Label"),
			field("columns", "Columns", record.JSON), flag("synchronous", "insertMultiple transforms at once", "false")}},
		{Name: MapTable, Label: "Table transform map", Fields: []record.Field{name, text("source_table", "Source table"),
			text("target_table", "Target table"), flag("active", "Active", "true"), number("order", "Order", "100"), text("mode", "Mode"),
			flag("run_business_rules", "Run business rules", "true"), text("enforce_mandatory_fields", "Enforce mandatory fields"),
			flag("copy_empty_fields", "Copy empty fields", "false"),
			flag("create_new_record_on_empty_coalesce_fields", "Create new record on empty coalesce fields", "false"),
			text("on_duplicate", "Equal keys in one source"), text("on_ambiguous", "Ambiguous match"), text("zone", "Time zone"),
			text("clear_value", "Text that empties a field"), flag("run_script", "Run script", "false"), text("script", "Script")},
			Indexes: []record.Index{{Fields: []string{"source_table"}}}},
		{Name: EntryTable, Label: "Field map", Fields: []record.Field{of, text("source_table", "Source table"), text("source_field", "Source field"),
			text("target_table", "Target table"), {Name: "target_field", Label: "Target field", Type: record.String, Mandatory: true},
			flag("coalesce", "Coalesce", "false"), flag("coalesce_case_sensitive", "Coalesce case sensitive", "false"),
			flag("coalesce_empty_fields", "Coalesce empty fields", "false"), text("choice_action", "Choice action"),
			text("reference_value_field", "Referenced value field name"), text("date_format", "Date format"), text("zone", "Time zone"),
			text("constant", "Constant"), flag("use_source_script", "Use source script", "false"), text("source_script", "Source script")},
			Indexes: []record.Index{{Fields: []string{"map"}}}},
		{Name: ScriptTable, Label: "Transform script", Fields: []record.Field{of, text("when", "When"), number("order", "Order", "100"),
			flag("active", "Active", "true"), text("script", "Script")}, Indexes: []record.Index{{Fields: []string{"map"}}}},
	}
}

// Staging is a staging table: rows pushed to it are kept as they came and taken through its transform maps. It is a name
// over the one physical table of staging rows, declared by a record of StagingTable or by the first map that names it.
type Staging struct {
	Name, Label string
	Columns     []string // as they came first; they only ever grow at the end
	Synchronous bool     // loads of many rows are transformed before they are answered
	Maps        []transform.Def
	record      *record.Record
	grown       bool
}

// Staging finds a staging table by name: a fault of kind NotFound when nothing declares it.
func (s *Service) Staging(ctx context.Context, name string) (st *Staging, err error) {
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		st, err = s.stagingIn(ctx, tx, name)
		return err
	})
	return st, err
}

func (s *Service) stagingIn(ctx context.Context, tx record.Tx, name string) (*Staging, error) {
	st := &Staging{Name: name}
	t := s.db.Catalog().Table(StagingTable)
	found, err := selectAll(ctx, tx, t, "name", name)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		st.record = found[0]
		st.Label, st.Synchronous = st.record.Get("label").Text, st.record.Get("synchronous").Text == "true"
		if text := st.record.Get("columns").Text; text != "" {
			if err := json.Unmarshal([]byte(text), &st.Columns); err != nil {
				return nil, fault.Wrap(fault.Invalid, err, "the columns of staging table %s are no JSON array of texts", name)
			}
		}
	}
	named, err := s.mapsOf(ctx, tx, st)
	if err != nil {
		return nil, err
	}
	if st.record == nil && !named {
		return nil, fault.New(fault.NotFound, "no staging table %q", name).WithHint("make a record of %s, or a record of %s that names it", StagingTable, MapTable)
	}
	return st, nil
}

// selectAll reads the records of t that have one of the values in a field, oldest first.
func selectAll(ctx context.Context, tx record.Tx, t *record.Table, field string, values ...string) ([]*record.Record, error) {
	return recordsOf(ctx, tx, &record.Query{Table: t, Fields: t.Names(), Where: &query.Term{Field: field, Op: query.In, Values: values},
		OrderBy: []query.Order{{Field: record.SysID}}})
}

// mapsOf compiles the records of the staging table's active maps into definitions, in their order. named says that some
// map names the table, active or not. Columns that maps name are columns of the table.
func (s *Service) mapsOf(ctx context.Context, tx record.Tx, st *Staging) (named bool, err error) {
	c := s.db.Catalog()
	maps, err := selectAll(ctx, tx, c.Table(MapTable), "source_table", st.Name)
	if err != nil || len(maps) == 0 {
		return false, err
	}
	slices.SortStableFunc(maps, func(a, b *record.Record) int { return int(whole(a, "order") - whole(b, "order")) })
	var ids []string
	for _, m := range maps {
		ids = append(ids, m.ID())
	}
	entries, err := selectAll(ctx, tx, c.Table(EntryTable), "map", ids...)
	if err != nil {
		return false, err
	}
	scripts, err := selectAll(ctx, tx, c.Table(ScriptTable), "map", ids...)
	if err != nil {
		return false, err
	}
	for _, m := range maps {
		if m.Get("active").Text != "true" {
			continue
		}
		def := defOf(m)
		for _, e := range entries {
			if e.Get("map").Text == m.ID() {
				f := fieldOf(e)
				def.Fields = append(def.Fields, f)
				if f.SourceField != "" && transform.FindColumn(st.Columns, f.SourceField) < 0 {
					st.Columns, st.grown = append(st.Columns, f.SourceField), true
				}
			}
		}
		def.Scripts = append(def.Scripts, scriptsOf(m, scripts)...)
		if err := def.Check(); err != nil {
			return true, err
		}
		if _, err := s.db.Table(def.TargetTable); err != nil {
			return true, fault.During("map "+def.Title(), err)
		}
		st.Maps = append(st.Maps, def)
	}
	return true, nil
}

func defOf(m *record.Record) transform.Def {
	is := func(field string) bool { return m.Get(field).Text == "true" }
	rules := is("run_business_rules")
	return transform.Def{Name: m.Get("name").Text, Mode: m.Get("mode").Text, Order: int(whole(m, "order")), SourceTable: m.Get("source_table").Text,
		TargetTable: m.Get("target_table").Text, RunBusinessRules: &rules, EnforceMandatoryFields: enforced(m.Get("enforce_mandatory_fields").Text),
		CopyEmptyFields: is("copy_empty_fields"), CreateOnEmptyCoalesce: is("create_new_record_on_empty_coalesce_fields"),
		OnDuplicate: m.Get("on_duplicate").Text, OnAmbiguous: m.Get("on_ambiguous").Text, Zone: m.Get("zone").Text, ClearValue: m.Get("clear_value").Text}
}

// enforced translates the platform's labels into the words of a map's written form.
func enforced(word string) string {
	switch strings.ToLower(word) {
	case "no":
		return "no"
	case "only mapped fields":
		return "onlyMappedFields"
	case "all fields":
		return "allFields"
	}
	return word
}

func fieldOf(e *record.Record) transform.FieldDef {
	is := func(field string) bool { return e.Get(field).Text == "true" }
	f := transform.FieldDef{Target: e.Get("target_field").Text, SourceField: e.Get("source_field").Text, Coalesce: is("coalesce"),
		CoalesceCaseSensitive: is("coalesce_case_sensitive"), CoalesceEmptyFields: is("coalesce_empty_fields"), ChoiceAction: e.Get("choice_action").Text,
		ReferenceValueField: e.Get("reference_value_field").Text, DateFormat: e.Get("date_format").Text, Zone: e.Get("zone").Text,
		UseSourceScript: is("use_source_script"), SourceScript: e.Get("source_script").Text}
	if v := e.Get("constant"); v.Valid {
		f.Constant = &v.Text
	}
	return f
}

func scriptsOf(m *record.Record, all []*record.Record) []transform.Script {
	var out []transform.Script
	if m.Get("run_script").Text == "true" && !m.Get("script").Empty() {
		out = append(out, transform.Script{When: "map", Script: m.Get("script").Text})
	}
	for _, r := range all {
		if r.Get("map").Text == m.ID() && r.Get("active").Text == "true" {
			out = append(out, transform.Script{When: r.Get("when").Text, Order: int(whole(r, "order")), Script: r.Get("script").Text})
		}
	}
	return out
}

// Unknown lists the columns of a row that the staging table does not have yet.
func (st *Staging) Unknown(columns []string) []string {
	var out []string
	for _, c := range columns {
		if transform.FindColumn(st.Columns, c) < 0 {
			out = append(out, c)
		}
	}
	return out
}

// Column gives the column that a name or label means, as the staging table has it; the name itself when it has none.
func (st *Staging) Column(name string) string {
	if n := transform.FindColumn(st.Columns, name); n >= 0 {
		return st.Columns[n]
	}
	return name
}

// place finds or makes a place for each of the columns of pushed rows. Two columns that look like one keep a place each.
func (st *Staging) place(columns []string) []int {
	at := make([]int, len(columns))
	taken := map[int]bool{}
	for i, c := range columns {
		n := transform.FindColumn(st.Columns, c)
		if n >= 0 && taken[n] {
			n = slices.Index(st.Columns, c)
		}
		if n < 0 || taken[n] {
			n = len(st.Columns)
			st.Columns, st.grown = append(st.Columns, c), true
		}
		at[i], taken[n] = n, true
	}
	return at
}

// keep writes the columns of a staging table that has grown, or that is pushed to for the first time. Pushes to one table
// are one after the other here, so none loses the columns of another.
func (st *Staging) keep(ctx context.Context, s *Service, w *record.Writer) error {
	if st.record != nil && !st.grown {
		return nil
	}
	t := s.db.Catalog().Table(StagingTable)
	own := s.db.As(record.System).Writer(w.Tx())
	columns := record.Assignment{Field: "columns", Value: record.Text(mustJSON(st.Columns))}
	if st.record == nil {
		_, err := own.Insert(ctx, t, []record.Assignment{columns, {Field: "name", Value: record.Text(st.Name)}, {Field: "label", Value: record.Text(st.Name)}})
		return err
	}
	_, _, err := own.Update(ctx, t, st.record.ID(), []record.Assignment{columns})
	return err
}

// RowKey is the sys_id by which a pushed row is known outside: run and row number in 32 hex digits.
func RowKey(run, row int64) string {
	const width = 32
	text := strconv.FormatInt(rowID(run, row), 16)
	return strings.Repeat("0", width-len(text)) + text
}

// parseRowKey reads what RowKey wrote.
func parseRowKey(key string) (run, row int64, ok bool) {
	id, err := strconv.ParseInt(key, 16, 64)
	if err != nil || len(key) != 32 || id <= 0 {
		return 0, 0, false
	}
	return id >> rowBits, id & MaxRows, true
}

// AddColumns gives a staging table columns that it does not have yet, declaring the table where only its maps do.
func (s *Service) AddColumns(ctx context.Context, name string, columns []string) error {
	return s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		st, err := s.stagingIn(ctx, w.Tx(), name)
		if err != nil {
			return err
		}
		st.place(columns)
		return st.keep(ctx, s, w)
	})
}
