package cli_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Files that others made, installed by `make deps`.
const (
	ouiFile       = "/usr/share/ieee-data/oui.csv"
	countriesJSON = "/usr/share/iso-codes/json/iso_3166-1.json"
	countriesXML  = "/usr/share/xml/iso-codes/iso_3166-1.xml"
	provincesXML  = "/usr/share/xml/iso-codes/iso_3166-2.xml" // has a raw &
	emptyXML      = "/usr/share/xml/iso-codes/iso_3166-3.xml"
)

// installed gives a path that must be there.
func installed(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run: make deps", err)
	}
	return path
}

// npm gives the path of a file in an npm package.
func npm(t testing.TB, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".testdata", "node_modules", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return installed(t, path)
}

// table parses CSV into its header and its rows.
func table(t testing.TB, text []byte) (header []string, rows [][]string) {
	t.Helper()
	in := csv.NewReader(bytes.NewReader(text))
	all, err := in.ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d rows: %v", len(all), err)
	}
	return all[0], all[1:]
}

func TestIEEEAssignments(t *testing.T) {
	text, err := os.ReadFile(installed(t, ouiFile))
	if err != nil {
		t.Fatal(err)
	}
	_, source := table(t, text)
	want := map[string][]string{}
	surplus := map[string]int{}
	for _, row := range source {
		if _, twice := want[row[1]]; twice {
			surplus[row[1]]++
			continue
		}
		want[row[1]] = row
	}
	onBoth(t, func(t *testing.T, h *home) {
		h.must(t, 0, "table", "create", "oui", "--field", "registry:string", "--field", "assignment:string", "--field", "organization_name:string",
			"--field", "organization_address:string")
		args := []string{ouiFile, "--into", "oui", "--coalesce", "assignment"}
		first := h.load(t, args...)
		if got, want := first.fates(), [6]int64{32_530, 32_527, 0, 0, 3, 0}; got != want {
			t.Fatalf("%v, want %v", got, want)
		}
		h.wantSurplus(t, first, surplus)
		h.wantOrganizations(t, want)
		h.wantUnchanged(t, first, args)
	})
}

// wantSurplus checks that the surplus rows of duplicated assignments are skipped, with the line of the first.
func (h *home) wantSurplus(t *testing.T, r *runJSON, surplus map[string]int) {
	t.Helper()
	if len(r.Reasons) != 1 || r.Reasons[0].Reason != "duplicate_key" || r.Reasons[0].Fate != "skipped" || !slices.Equal(r.Reasons[0].Lines, []int64{24675, 31229, 31243}) {
		t.Errorf("reasons: %+v", r.Reasons)
	}
	_, rows := table(t, h.must(t, 0, "run", "rows", fmt.Sprint(r.Run), "--fate", "skipped", "-o", "csv").stdout)
	firstLine := map[string]string{"080030": "line 5227", "0001C8": "line 5257"}
	surplus = maps.Clone(surplus)
	for _, row := range rows {
		code := row[6]
		if row[1] != "skipped" || row[2] != "duplicate_key" || firstLine[code] == "" || !strings.Contains(row[3], firstLine[code]) {
			t.Errorf("skipped row %q", row)
		}
		surplus[code]--
	}
	for code, n := range surplus {
		if n != 0 {
			t.Errorf("assignment %s: %d surplus rows are not skipped", code, n)
		}
	}
}

// wantOrganizations checks every cell of the target against the file, as another reader of CSV has it.
func (h *home) wantOrganizations(t *testing.T, want map[string][]string) {
	t.Helper()
	_, rows := table(t, h.must(t, 0, "record", "list", "oui", "--limit", "0", "-o", "csv", "--fields", "registry,assignment,organization_name,organization_address").stdout)
	if len(rows) != len(want) {
		t.Errorf("%d records, want %d", len(rows), len(want))
	}
	zeros, exponents, breaks := 0, 0, 0
	for _, row := range rows {
		if !slices.Equal(row, want[row[1]]) {
			t.Fatalf("record %q, want %q", row, want[row[1]])
		}
		zeros += strings.Count(row[1][:1], "0")
		if strings.Trim(row[1], "0123456789") == "E" && !strings.HasPrefix(row[1], "E") && !strings.HasSuffix(row[1], "E") {
			exponents++ // 5885E9: a number to careless readers
		}
		breaks += strings.Count(row[2]+row[3], "\n")
	}
	if zeros == 0 || exponents == 0 || breaks == 0 {
		t.Errorf("the file shows nothing: %d leading zeros, %d exponents, %d line breaks", zeros, exponents, breaks)
	}
}

// wantUnchanged imports the same file again, which writes nothing and takes at most half the time of the first import.
// Other tests share the machine, so the quickest of a few firsts is held against the quickest of as many seconds, and the
// half is for the long form, which runs alone.
func (h *home) wantUnchanged(t *testing.T, first *runJSON, args []string) {
	t.Helper()
	share := 0.9
	if soak() {
		share = 0.5
	}
	quickest, again := first.Seconds, h.again(t, first, args)
	for i := 0; i < 10 && again > quickest*share; i++ {
		table := fmt.Sprintf("oui_%d", i)
		h.must(t, 0, "table", "create", table, "--field", "registry:string", "--field", "assignment:string", "--field", "organization_name:string",
			"--field", "organization_address:string")
		args := []string{ouiFile, "--into", table, "--coalesce", "assignment"}
		fresh := h.load(t, args...)
		quickest, again = min(quickest, fresh.Seconds), min(again, h.again(t, fresh, args))
	}
	t.Logf("first %.3f s, again %.3f s", quickest, again)
	if again > quickest*share {
		t.Errorf("the second import takes %.3f s, more than %.1f of %.3f s", again, share, quickest)
	}
}

// again imports once more what first imported, and gives the seconds it took.
func (h *home) again(t *testing.T, first *runJSON, args []string) float64 {
	t.Helper()
	r := h.load(t, args...)
	if r.Inserted+r.Updated+r.Rejected != 0 || r.Unchanged+r.Skipped != r.Read || r.Read != first.Read {
		t.Fatalf("imported again: %v", r.fates())
	}
	return r.Seconds
}

const isoMap = `targetTable: %s
fields:
  alpha_2: {sourceField: %s, coalesce: true}
  alpha_3: %s
  numeric: %s
  name: name
  official_name: official_name
  common_name: common_name
`

func TestISOCountriesAgreeInJSONAndXML(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		var content [2]string
		for i, from := range []struct{ file, alpha2, alpha3, numeric string }{
			{installed(t, countriesJSON), "alpha_2", "alpha_3", "numeric"},
			{installed(t, countriesXML), "alpha_2_code", "alpha_3_code", "numeric_code"},
		} {
			target := fmt.Sprintf("country_%d", i)
			args := []string{"table", "create", target}
			for _, field := range []string{"alpha_2", "alpha_3", "numeric", "name", "official_name", "common_name"} {
				args = append(args, "--field", field+":string")
			}
			h.must(t, 0, args...)
			h.write(t, target+".yaml", []byte(fmt.Sprintf(isoMap, target, from.alpha2, from.alpha3, from.numeric)))
			r := h.load(t, from.file, "--map", target+".yaml")
			if r.Inserted != 249 || r.Read != 249 {
				t.Errorf("%s: %v, want 249 inserted", from.file, r.fates())
			}
			content[i] = string(h.must(t, 0, "record", "list", target, "--limit", "0", "-o", "csv", "--query", "ORDERBYalpha_2",
				"--fields", "alpha_2,alpha_3,numeric,name,official_name,common_name").stdout)
		}
		if content[0] != content[1] {
			t.Errorf("JSON:\n%s\nXML:\n%s", content[0], content[1])
		}
		if !strings.Contains(content[0], "AF,AFG,004,Afghanistan,Islamic Republic of Afghanistan,\n") {
			t.Errorf("Afghanistan is not as the files have it:\n%s", content[0])
		}
	})
}

func TestDamagedXMLIsAnErrorWithItsPlace(t *testing.T) {
	for file, want := range map[string]string{
		provincesXML: "iso_3166-2.xml: line 6747, column 33: the XML is not well-formed",
		emptyXML:     "iso_3166-3.xml: the source is empty",
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			h := newHome(t)
			e := h.must(t, 2, "import", installed(t, file), "--create")
			if !strings.Contains(string(e.stderr), want) || !strings.Contains(string(e.stderr), "hint: ") || len(e.stdout) > 0 {
				t.Errorf("want %q with a hint\n%s", want, e)
			}
			if tables := string(h.must(t, 0, "table", "list", "-o", "csv").stdout); strings.Count(tables, "\n") != 1 {
				t.Errorf("a source that cannot be read leaves tables:\n%s", tables)
			}
		})
	}
}

// Differences that the three files of world-countries have themselves, so that nothing of them is the readers':
//   - Lists are arrays in the JSON file; the other two hold their elements with commas between them.
//   - Truth values are true and false in the JSON file, 1 and 0 in the other two.
//   - Currencies and languages are objects with a key for each in JSON and XML, so a column each, but lists in the CSV
//     file. JSON has an empty array instead of an object for the four countries without currencies.
//   - Native names are an object with a key for each language; without any, XML has an empty attribute and JSON nothing.
var (
	worldLists  = []string{"tld", "idd.suffixes", "capital", "altSpellings", "latlng", "borders", "callingCodes"}
	worldTruths = map[string]string{"true": "1", "false": "0"}
	worldOthers = []string{"currencies", "languages", "name.native"}
)

func TestWorldCountriesAgreeInCSVJSONAndXML(t *testing.T) {
	h := newHome(t)
	world := map[string]map[string]map[string]string{} // file, country, column
	columns := map[string]int{}
	for _, kind := range []string{"csv", "json", "xml"} {
		r := h.load(t, npm(t, "world-countries/dist/countries."+kind), "--create", "--into", "world_"+kind, "--coalesce", "cca3")
		if r.Inserted != 250 || r.Read != 250 {
			t.Fatalf("%s: %v, want 250 inserted", kind, r.fates())
		}
		header, rows := table(t, h.must(t, 0, "run", "rows", fmt.Sprint(r.Run), "-o", "csv").stdout)
		header = header[5:]
		for _, name := range header {
			columns[name]++
		}
		world[kind] = map[string]map[string]string{}
		for _, row := range rows {
			country := map[string]string{}
			for i, cell := range row[5:] {
				country[header[i]] = cell
			}
			world[kind][country["cca3"]] = country
		}
	}
	pairs := map[string]int{"csv": 0, "xml": 0} // columns compared with those of the JSON file
	for other := range pairs {
		for column := range columns {
			if _, both := world[other]["AFG"][column]; !both || slices.Contains(worldOthers, column) {
				continue
			}
			if _, both := world["json"]["AFG"][column]; !both {
				t.Errorf("column %s of the %s file is not in the JSON file", column, other)
				continue
			}
			pairs[other]++
			for code, country := range world["json"] {
				if got, want := world[other][code][column], plainWorld(t, column, country[column]); got != want {
					t.Errorf("%s of %s: %q in %s, %q in JSON", column, code, got, other, want)
				}
			}
		}
	}
	if pairs["csv"] != 72 || pairs["xml"] != 855 {
		t.Errorf("columns compared: %v", pairs)
	}
}

// plainWorld writes a cell of the JSON file as the other two have it.
func plainWorld(t *testing.T, column, cell string) string {
	t.Helper()
	if plain, ok := worldTruths[cell]; ok {
		return plain
	}
	if !slices.Contains(worldLists, column) {
		return cell
	}
	var list []any
	in := json.NewDecoder(strings.NewReader(cell))
	in.UseNumber()
	if err := in.Decode(&list); err != nil {
		t.Fatalf("%s %q: %v", column, cell, err)
	}
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ",")
}
