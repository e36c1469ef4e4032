package transform_test

import (
	"context"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// catalog holds a table with a field of every type that a map treats apart.
func catalog(t *testing.T) *record.Catalog {
	t.Helper()
	c, err := record.NewCatalog(
		record.Table{Name: "company", Fields: []record.Field{{Name: "name", Type: record.String, Display: true}, {Name: "code", Type: record.String}}},
		record.Table{Name: "server", Fields: []record.Field{
			{Name: "serial", Type: record.String, Length: 8},
			{Name: "name", Type: record.String, Mandatory: true},
			{Name: "bought", Type: record.Date},
			{Name: "seen", Type: record.DateTime},
			{Name: "cost", Type: record.Decimal},
			{Name: "count", Type: record.Integer},
			{Name: "active", Type: record.Boolean, Default: "true"},
			{Name: "status", Type: record.Choice, Choices: []record.Option{{Value: "1", Label: "Installed"}, {Value: "2", Label: "Retired"}}},
			{Name: "vendor", Type: record.Reference, Reference: "company"},
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// companies finds companies by name, and knows two by the name Twin.
type companies struct{}

func (companies) Find(_ context.Context, _ *record.Table, field string, fold bool, texts []string) (map[string][]string, error) {
	known := map[string][]string{"acme": {"00000000000000000000000000000001"}, "twin": {"00000000000000000000000000000002", "00000000000000000000000000000003"}}
	found := map[string][]string{}
	for _, text := range texts {
		if ids := known[text]; ids != nil && field == "name" && fold {
			found[text] = ids
		}
	}
	return found, nil
}

func compile(t *testing.T, yaml string, headers ...string) (*transform.Map, error) {
	t.Helper()
	defs, err := transform.Parse("map.yaml", []byte(yaml))
	if err != nil {
		return nil, err
	}
	return transform.Compile(defs[0], headers, catalog(t).Table("server"))
}

// one maps a single cell into a field with the properties given.
func one(t *testing.T, mode, field, properties, cell string) (record.Value, *transform.Reject) {
	t.Helper()
	m, err := compile(t, "targetTable: server\nmode: "+mode+"\nfields: {"+field+": {sourceField: In"+properties+"}}", "In")
	if err != nil {
		t.Fatal(err)
	}
	cells := []record.Value{record.Text(cell)}
	if err := m.Prepare(t.Context(), companies{}, [][]record.Value{cells}); err != nil {
		t.Fatal(err)
	}
	out := make([]record.Value, 1)
	r := m.RestFields(cells, out, nil, false)
	return out[0], r
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ mode, field, properties, cell, want string }{
		{"safe", "serial", "", "abc", "abc"},
		{"safe", "serial", "", "123456789", "! value_too_long"},
		{"strict", "serial", "", "123456789", "12345678"},
		{"safe", "bought", "", "2026-11-03", "2026-11-03"},
		{"safe", "bought", "", "2026-11-03T23:30:00Z", "2026-11-03"},
		{"safe", "bought", "", "03.11.2026", "! date_unparsable add dateFormat: dd.MM.yyyy"},
		{"safe", "bought", ", dateFormat: dd.MM.yyyy", "3.11.2026", "2026-11-03"},
		{"safe", "bought", ", dateFormat: dd.MM.yyyy", "31.02.2026", "! date_unparsable"},
		{"strict", "bought", "", "03.11.2026", "null"},
		{"safe", "seen", ", zone: Europe/Berlin", "2026-07-01 12:00:00", "2026-07-01 10:00:00"},
		{"safe", "seen", ", zone: Europe/Berlin", "2026-07-01T12:00:00+00:00", "2026-07-01 12:00:00"},
		{"safe", "seen", ", dateFormat: 'MM/dd/yyyy hh:mm a'", "11/03/2026 01:05 PM", "2026-11-03 13:05:00"},
		{"strict", "seen", ", dateFormat: 'yyyy-MM-dd hh:mm:ss'", "2026-11-03 13:05:00", "2026-11-03 01:05:00"},
		{"safe", "cost", "", "0010.50", "10.5"},
		{"safe", "cost", "", "1,5", "! number_unparsable"},
		{"safe", "count", "", "007", "7"},
		{"safe", "count", "", "99999999999999999999", "! number_unparsable"},
		{"safe", "active", "", "Yes", "true"},
		{"safe", "active", "", "maybe", "! boolean_unparsable"},
		{"safe", "active", "", "", "keep"},
		{"safe", "status", "", "2", "2"},
		{"safe", "status", "", "retired", "2"},
		{"safe", "status", "", "lost", "! choice_rejected add the choice, or choiceAction: ignore or create"},
		{"safe", "status", ", choiceAction: ignore", "lost", "keep"},
		{"safe", "status", ", choiceAction: create", "lost", "lost"},
		{"safe", "vendor", "", "ACME", "00000000000000000000000000000001"},
		{"safe", "vendor", "", "nobody", "! reference_rejected load those first, or choiceAction: ignore or create"},
		{"safe", "vendor", ", choiceAction: ignore", "nobody", "keep"},
		{"safe", "vendor", "", "twin", "! reference_ambiguous choose another referenceValueField"},
		{"strict", "vendor", "", "twin", "00000000000000000000000000000002"},
		{"strict", "name", "", "NULL", "null"},
		{"safe", "name", "", "NULL", "NULL"},
		{"safe", "name", "", "a\x00b", "! invalid_character"},
		{"safe", "name", "", "a\xffb", "! invalid_character"},
	} {
		v, r := one(t, c.mode, c.field, c.properties, c.cell)
		got := v.Text
		switch {
		case r != nil:
			got = strings.TrimSpace("! " + r.Code + " " + r.Hint)
		case transform.IsKeep(v):
			got = "keep"
		case !v.Valid:
			got = "null"
		}
		if got != c.want {
			t.Errorf("%s %s%s %q: got %s, want %s", c.mode, c.field, c.properties, c.cell, got, c.want)
		}
	}
}

func TestReferenceIsCreatedOnceWhenTheMapSaysSo(t *testing.T) {
	m, err := compile(t, "targetTable: server\nfields: {vendor: {sourceField: V, choiceAction: create}}", "V")
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]record.Value{{record.Text("New Co")}, {record.Text("new co")}, {record.Text("Acme")}}
	if err := m.Prepare(t.Context(), companies{}, rows); err != nil {
		t.Fatal(err)
	}
	out := make([]record.Value, 3)
	for i := range rows {
		if r := m.RestFields(rows[i], out[i:i+1], nil, false); r != nil {
			t.Fatal(r)
		}
	}
	created := m.TakeCreated()
	if len(created) != 1 || created[0].Value != "New Co" || out[0] != out[1] || out[0].Text != created[0].ID || out[2].Text == out[0].Text {
		t.Errorf("created %+v, values %v", created, out)
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		yaml, serial, name string
		want               transform.KeyState
		text               string
	}{
		{"serial: {sourceField: S, coalesce: true}", "AbC", "", transform.KeyFull, "abc"},
		{"serial: {sourceField: S, coalesce: true, coalesceCaseSensitive: true}", "AbC", "", transform.KeyFull, "AbC"},
		{"serial: {sourceField: S, coalesce: true}", "", "", transform.KeyEmpty, ""},
		{"serial: {sourceField: S, coalesce: true, coalesceEmptyFields: true}", "", "", transform.KeyFull, ""},
		{"serial: {sourceField: S, coalesce: true}\n  name: {sourceField: N, coalesce: true}", "a", "", transform.KeyEmpty, "a"},
		{"serial: {sourceField: S, coalesce: true}\n  name: {sourceField: N, coalesce: true, coalesceEmptyFields: true}", "a", "", transform.KeyFull, "a"},
	} {
		m, err := compile(t, "targetTable: server\nfields:\n  "+c.yaml, "S", "N")
		if err != nil {
			t.Fatal(err)
		}
		out := make([]record.Value, len(m.Fields))
		if r := m.KeyFields([]record.Value{record.Text(c.serial), record.Text(c.name)}, out, false); r != nil {
			t.Fatal(r)
		}
		key, state := m.KeyOf(out, nil)
		if state != c.want || key[0].Text != c.text {
			t.Errorf("%s: state %d key %v, want %d %q", c.yaml, state, key, c.want, c.text)
		}
	}
	strict, err := compile(t, "mode: strict\ntargetTable: server\nfields:\n  serial: {sourceField: S, coalesce: true}\n  name: {sourceField: N, coalesce: true}", "S", "N")
	if err != nil {
		t.Fatal(err)
	}
	out := make([]record.Value, 2)
	if r := strict.KeyFields([]record.Value{record.Text("a"), record.Text("")}, out, false); r != nil {
		t.Fatal(r)
	}
	if _, state := strict.KeyOf(out, nil); state != transform.KeyPartial {
		t.Errorf("strict leaves empty parts out of the match; got state %d", state)
	}
}

// What a person writes wrongly is told with its place and how to mend it.
func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct{ yaml, message, hint string }{
		{"targetTable: server\nfields: {nam: In}", `map -> server: table server has no field "nam"`, `did you mean "name"?`},
		{"targetTable: server\nfields: {name: Inn}", `map -> server: the source has no column "Inn"`, `did you mean "In"?`},
		{"targetTable: server\nfields: {name: {sourceField: X, coalesce: true}}", `map -> server: the coalesce field reads column "X", which the source does not have`, "its columns: In"},
		{"targetTable: server\ntargetTabel: x\nfields: {name: In}", `map.yaml:2:1: unknown field "targetTabel"`, `did you mean "targetTable"?`},
		{"targetTable: server\nmode: lax\nfields: {name: In}", `map.yaml:2:7: mode cannot be "lax"`, "one of safe, strict"},
		{"targetTable: server\nfields: {name: {sourceField: In, coalese: true}}", `map.yaml:2:`, `did you mean "coalesce"?`},
		{"targetTable: server\nfields: {seen: {sourceField: In, dateFormat: 'yyyy-MM-dd hh:mm'}}", `dateFormat "yyyy-MM-dd hh:mm": hh is the 12-hour clock and needs a (am/pm)`, "24 hours are HH: yyyy-MM-dd HH:mm"},
		{"targetTable: server\nfields: {seen: {sourceField: In, dateFormat: 'QQ'}}", `"QQ" is not known`, "use yyyy MM dd HH mm ss SSS a XXX, as in dd.MM.yyyy HH:mm"},
		{"targetTable: server\nzone: Mars/North\nfields: {name: In}", `time zone "Mars/North" is not known`, "use an IANA name such as Europe/Berlin"},
		{"targetTable: server\nfields: {sys_id: In}", "field sys_id is kept by the system and cannot be mapped", ""},
		{"targetTable: server\nfields: {name: {coalesce: true}}", "field name has neither sourceField nor constant", ""},
		{"targetTable: server", "map.yaml: the map has no fields", "fields: {target_field: source_column}"},
		{"fields: {name: In}", "map.yaml: the map names no targetTable", ""},
		{"targetTable: server\nfields: {cost: {constant: abc}}", "the constant of field cost", ""},
		{"targetTable: server\nfields: {name: In}\nscripts: [{when: never, script: x}]", `there is no moment "never"`, "one of onStart, onBefore, onAfter, onForeignInsert, onChoiceCreate, onReject, onComplete, map"},
		{"targetTable: server\nfields: [", "map.yaml:2:9", ""},
	} {
		_, err := compile(t, c.yaml, "In")
		if err == nil {
			t.Errorf("%s: accepted", c.yaml)
			continue
		}
		if !strings.Contains(err.Error(), c.message) || c.hint != "" && fault.HintOf(err) != c.hint {
			t.Errorf("%s:\n got  %v (hint %q)\n want %s (hint %q)", c.yaml, err, fault.HintOf(err), c.message, c.hint)
		}
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.Refused {
			t.Errorf("%s: kind %v", c.yaml, k)
		}
	}
}

func TestMapsSurviveWritingAndReading(t *testing.T) {
	text := "name: a\nmode: strict\ntargetTable: server\ncopyEmptyFields: true\nfields:\n  serial:\n    sourceField: S\n    coalesce: true\n  name: Name\n  status:\n    constant: \"1\"\n"
	defs, err := transform.Parse("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := transform.Marshal(defs)
	if err != nil || string(out) != text {
		t.Errorf("written as\n%s(%v)\nfrom\n%s", out, err, text)
	}
	several := append(defs, defs[0])
	if out, err = transform.Marshal(several); err != nil {
		t.Fatal(err)
	}
	back, err := transform.Parse("b.yaml", out)
	if err != nil || len(back) != 2 || back[1].Fields[1].SourceField != "Name" {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestColumnNames(t *testing.T) {
	got := transform.ColumnNames([]string{"First Name", "first-name", "Größe", "Credit (last 6m)", "", "9 lives", "sys_id", "日本", strings.Repeat("long ", 20)})
	want := []string{"first_name", "first_name_2", "grosse", "credit__last_6m_", "u_", "u_9_lives", "sys_id_2", "x65e5x672c"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("column %d is %q, want %q", i, got[i], want[i])
		}
	}
	for _, name := range got {
		if !record.ValidName(name) {
			t.Errorf("%q is no valid name", name)
		}
	}
}

func TestSuggestionsAreSureOfSameNames(t *testing.T) {
	s := transform.Suggest([]string{"Serial", "u_name", "Bought", "weather"}, catalog(t).Table("server"))
	got := map[string]string{}
	for _, x := range s {
		if x.Score >= transform.Sure {
			got[x.Column] = x.Field
		}
	}
	if len(got) != 3 || got["Serial"] != "serial" || got["u_name"] != "name" || got["Bought"] != "bought" {
		t.Errorf("suggestions %v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("targetTable: server\nfields: {name: In}")
	f.Add("maps: [{targetTable: server, fields: {name: {sourceField: In, dateFormat: dd.MM.yyyy}}}]")
	f.Fuzz(func(t *testing.T, text string) {
		defs, err := transform.Parse("f.yaml", []byte(text))
		if err != nil {
			return
		}
		out, err := transform.Marshal(defs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transform.Parse("g.yaml", out); err != nil {
			t.Fatalf("%v\nwritten as\n%s", err, out)
		}
	})
}

func FuzzDates(f *testing.F) {
	f.Add("dd.MM.yyyy HH:mm", "03.11.2026 10:11")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		m, err := transform.Compile(transform.Def{TargetTable: "server", Fields: transform.Fields{{Target: "seen", SourceField: "In", DateFormat: pattern}}},
			[]string{"In"}, catalog(t).Table("server"))
		if err != nil {
			return
		}
		out := make([]record.Value, 1)
		if r := m.RestFields([]record.Value{record.Text(text)}, out, nil, false); r != nil || !out[0].Valid {
			return
		}
		canonical, err := m.Target.Field("seen").Canonical(out[0].Text)
		if err != nil || canonical != out[0].Text {
			t.Fatalf("%q by %q gives %q, which is not canonical", text, pattern, out[0].Text)
		}
	})
}
