package importset_test

import (
	"testing"

	"headrace/internal/core/record"
)

const parentMap = `
targetTable: item
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
`

const childMap = `
targetTable: machine
fields:
  serial: {sourceField: Serial, coalesce: true}
  name: Name
  os: OS
`

// hierarchy is a table and one that extends it.
func hierarchy(t *testing.T) *fixture {
	return open(t, record.Table{Name: "item", Extendable: true, Fields: []record.Field{{Name: "serial", Type: record.String}, {Name: "name", Type: record.String}}},
		record.Table{Name: "machine", Extends: "item", Fields: []record.Field{{Name: "os", Type: record.String}}})
}

const machines = "Serial,Name,OS\nA,alpha,x\nB,beta,y\n"

func TestImportIntoTheParentIsSeenByTheChild(t *testing.T) {
	f := hierarchy(t)
	f.load(machines, childMap)
	f.wantLedger(f.load("Serial,Name\nA,changed\n", parentMap), "1 = 0 inserted + 1 updated + 0 unchanged + 0 skipped + 0 rejected")
	f.wantLedger(f.load(machines, childMap), "2 = 0 inserted + 1 updated + 1 unchanged + 0 skipped + 0 rejected")
}

func TestChangeThroughTheParentIsSeenByTheChild(t *testing.T) {
	f := hierarchy(t)
	run := f.load(machines, childMap)
	table, err := f.db.Table("item")
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range f.Rows(t.Context(), run.Number) {
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.db.As(record.System).Update(t.Context(), table, row.Target, []record.Assignment{{Field: "name", Value: record.Text("mine")}}); err != nil {
			t.Fatal(err)
		}
	}
	f.wantLedger(f.load(machines, childMap), "2 = 0 inserted + 2 updated + 0 unchanged + 0 skipped + 0 rejected")
}
