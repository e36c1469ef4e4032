package rest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"headrace/internal/connect/source"
)

func TestEveryOptionIsDocumentedAsItIs(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## REST services\n")
	section, _, _ = strings.Cut(section, "\n## ")
	services, tables, _ := strings.Cut(section, "\n### Tables of compatible servers\n")
	for part, kind := range map[string]source.Kind{services: new(naps).parts().Kind(), tables: new(naps).parts().Table()} {
		for _, o := range kind.Info.Options {
			line := fmt.Sprintf("| `%s` | %s | %s |", o.Name, o.Default, strings.ReplaceAll(o.Help, "|", `\|`))
			if !strings.Contains(part, line) {
				t.Errorf("%s lacks\n%s", kind.Info.Label, line)
			}
		}
	}
}
