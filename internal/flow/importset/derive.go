package importset

import (
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// mostDerived is how many columns a derived table may have: what both databases take, less room for more.
const mostDerived = 1_500

// Derive makes the table that would hold a surveyed source, and the map into it. Key columns become coalesce fields with
// an index; dates that are not ISO get their pattern.
func Derive(v *Survey, name, label string, key []string) (record.Table, transform.Def) {
	t := record.Table{Name: name, Label: label}
	def := transform.Def{Name: name, TargetTable: name}
	headers := v.headers()
	isKey := map[int]bool{}
	var index []string
	for _, k := range key {
		if at := transform.FindColumn(headers, k); at >= 0 {
			isKey[at] = true
			index = append(index, v.Columns[at].Name)
		}
	}
	for i, c := range v.Columns {
		if len(t.Fields) == mostDerived && !isKey[i] {
			continue
		}
		f := record.Field{Name: c.Name, Label: c.Header, Type: record.Type(c.Type)}
		t.Fields = append(t.Fields, f)
		def.Fields = append(def.Fields, transform.FieldDef{Target: c.Name, SourceField: c.Header, Coalesce: isKey[i], DateFormat: c.DateFormat})
	}
	if len(index) > 0 {
		t.Indexes = []record.Index{{Fields: index}}
	}
	return t, def
}
