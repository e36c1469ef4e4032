package importset_test

import (
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

const mixed = "Code,When,Exact,Amount,On,Note\n" +
	"007,03.11.2026,2026-01-02 10:00:00,10.5,true, a\n" +
	"5885E9,24.12.2026,2026-01-03 10:00:00,3,false,b\n" +
	"007 ,13.01.2026,,,yes,\n" +
	"5885e9,13.01.2026,2026-01-03 10:00:00,7,no,b\n" +
	",13.01.2026,2026-01-03 10:00:00,7,no,b\n" +
	"bad\n"

func TestSurveyFindsTypesBlanksAndDoubles(t *testing.T) {
	f := open(t, servers)
	v, err := f.Survey(t.Context(), text("mixed.csv", mixed), importset.SurveyRequest{Key: []string{"Code"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Code": "string", "When": "glide_date dd.MM.yyyy", "Exact": "glide_date_time", "Amount": "decimal", "On": "boolean", "Note": "string"}
	for _, c := range v.Columns {
		if got := strings.TrimSpace(c.Type + " " + c.DateFormat); got != want[c.Header] {
			t.Errorf("%s is %q, want %q", c.Header, got, want[c.Header])
		}
	}
	if v.Rows != 6 || v.BadRows != 1 || v.Columns[3].Blank != 1 || v.Columns[3].Distinct != 3 || !v.Columns[3].DistinctExact {
		t.Errorf("rows %d bad %d amount %+v", v.Rows, v.BadRows, v.Columns[3])
	}
	k := v.Key
	if k.Unique || k.Duplicates != 1 || k.Blank != 1 || k.CaseVariants != 1 || k.SpaceVariants != 1 {
		t.Errorf("key: %+v", k)
	}
	if len(k.Examples) != 1 || k.Examples[0].Lines[0] != 3 || k.Examples[0].Lines[1] != 5 {
		t.Errorf("examples: %+v", k.Examples)
	}
}

func TestSurveyForecastsWhatImportDoes(t *testing.T) {
	f := open(t, servers)
	bare, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Survey(t.Context(), text("servers.csv", feed(9, nil)), importset.SurveyRequest{Key: []string{"serial"}, Into: bare}); err != nil || v.Key.Indexed || v.Key.Inserts != 9 {
		t.Errorf("before any import: %+v %v", v.Key, err)
	}
	f.load(feed(100, nil), serverMap)
	table, err := f.db.Table("server")
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.Survey(t.Context(), text("servers.csv", feed(150, nil)), importset.SurveyRequest{Key: []string{"serial"}, Into: table})
	if err != nil {
		t.Fatal(err)
	}
	if v.Key.Matches != 100 || v.Key.Inserts != 50 || v.Key.Skips != 0 || !v.Key.Indexed {
		t.Errorf("key: %+v", v.Key)
	}
}

func TestDerivedTableTakesTheWholeSource(t *testing.T) {
	f := open(t)
	src := text("mixed.csv", mixed)
	v, err := f.Survey(t.Context(), src, importset.SurveyRequest{Key: []string{"Code"}})
	if err != nil {
		t.Fatal(err)
	}
	table, def := importset.Derive(v, "u_mixed", "Mixed", []string{"Code"})
	if _, err := f.db.Define(t.Context(), record.System, false, table); err != nil {
		t.Fatal(err)
	}
	run, err := f.Import(t.Context(), importset.Request{Source: src, Maps: []transform.Def{def}, Actor: record.System})
	if err != nil {
		t.Fatal(err)
	}
	f.wantLedger(run, "6 = 3 inserted + 0 updated + 0 unchanged + 2 skipped + 1 rejected")
}
