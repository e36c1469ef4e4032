package basetables_test

import (
	"os"
	"strings"
	"testing"

	"headrace/internal/app/basetables"
	"headrace/internal/core/record"
)

// The page on tables names every type of field and every base table.
func TestThePageOnTablesIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../../docs/tables.md")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := basetables.Tables()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, typ := range record.Types {
		names = append(names, string(typ))
	}
	for _, table := range tables {
		names = append(names, table.Name)
	}
	for _, name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/tables.md does not name %s", name)
		}
	}
}
