package export_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// furnish puts two servers in.
func (w *world) furnish(t testing.TB) (first string) {
	t.Helper()
	vienna := w.add(t, "u_site", "name", "Vienna", "country", "AT")
	graz := w.add(t, "u_site", "name", "Graz", "country", "AT")
	first = w.add(t, "u_server", "name", "alpha", "site", vienna, "state", "1", "cores", "-8", "price", "12.5", "virtual", "true", "bought", "2026-01-02 03:04:05",
		"sites", vienna+","+graz, "note", "=cmd()", "token", "hush")
	w.add(t, "u_server", "name", "beta", "state", "2", "note", "line\nbreak; \"quoted\"")
	return first
}

func TestFileHoldsWhatTheSetAsksFor(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.furnish(t)
	for name, c := range map[string]struct {
		set  []string
		file string
		want string
	}{
		"stored values, guarded": {[]string{"fields", "name,site.country, cores,note", "file_name", "a.csv"}, "a.csv",
			"name,site.country,cores,note\nalpha,AT,-8,'=cmd()\nbeta,,,\"line\nbreak; \"\"quoted\"\"\"\n"},
		"guard off": {[]string{"fields", "note", "query", "name=alpha", "formula_guard", "false", "file_name", "a.csv"}, "a.csv", "note\n=cmd()\n"},
		"what is shown": {[]string{"fields", "name,site,state,bought,sites", "display_values", "true", "headers", "labels", "zone", "Europe/Vienna", "file_name", "a.csv"}, "a.csv",
			"Name,Site,State,Bought,Sites\nalpha,Vienna,Up,2026-01-02 04:04:05,\"Vienna, Graz\"\nbeta,,Down,,\n"},
		"both": {[]string{"fields", "state", "display_values", "all", "file_name", "a.csv"}, "a.csv", "state,dv_state\n1,Up\n2,Down\n"},
		"the form of the bytes": {[]string{"fields", "name,cores", "headers", "none", "format_options", `{"delimiter": ";", "bom": "true", "line_end": "crlf"}`, "file_name", "a.csv"}, "a.csv",
			"\xef\xbb\xbfalpha;-8\r\nbeta;\r\n"},
		"another charset": {[]string{"fields", "name", "query", "name=alpha", "format_options", `{"charset": "utf-16le", "bom": "true"}`, "file_name", "a.csv"}, "a.csv",
			"\xff\xfen\x00a\x00m\x00e\x00\n\x00a\x00l\x00p\x00h\x00a\x00\n\x00"},
		"lines of JSON": {[]string{"fields", "name,cores,price,virtual,note", "format", "json", "format_options", `{"style": "lines"}`}, "servers_20260304_000001.ndjson",
			`{"name":"alpha","cores":-8,"price":12.5,"virtual":true,"note":"=cmd()"}` + "\n" + `{"name":"beta","cores":null,"price":null,"virtual":null,"note":"line\nbreak; \"quoted\""}` + "\n"},
		"an array of JSON": {[]string{"fields", "name", "format", "json", "format_options", `{"path": "/result"}`}, "servers_20260304_000001.json",
			"{\"result\":[\n{\"name\":\"alpha\"},\n{\"name\":\"beta\"}\n]}\n"},
		"XML": {[]string{"fields", "name,site.country", "format", "xml", "query", "name=alpha"}, "servers_20260304_000001.xml",
			"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rows>\n  <row><name>alpha</name><site.country>AT</site.country></row>\n</rows>\n"},
		"an order that descends": {[]string{"fields", "name", "order_by", "-name", "file_name", "a.csv"}, "a.csv", "name\nbeta\nalpha\n"},
		"the order of the query": {[]string{"fields", "name", "query", "ORDERBYDESCname", "file_name", "a.csv"}, "a.csv", "name\nbeta\nalpha\n"},
		"no records":             {[]string{"fields", "name", "query", "name=gamma", "file_name", "a.csv"}, "a.csv", "name\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w.set(t, append(c.set, "overwrite", "true")...)
			r := w.run(t)
			if r.FileName != c.file {
				t.Fatalf("the file is %s, want %s", r.FileName, c.file)
			}
			if got := w.read(t, c.file); got != c.want || r.Bytes != int64(len(got)) {
				t.Errorf("%q\nwant %q (%d bytes)", got, c.want, r.Bytes)
			}
		})
	}
}

func TestBothStoresMakeTheSameFile(t *testing.T) {
	var all []string
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, t.TempDir())
		w.furnish(t)
		w.set(t, "fields", "name,site,site.country,state,cores,price,virtual,bought,note", "display_values", "all", "file_name", "a.csv")
		r := w.run(t)
		if r.Rows != 2 || r.SHA256 == "" {
			t.Errorf("%+v", r)
		}
		all = append(all, strings.ReplaceAll(w.read(t, "a.csv"), w.add(t, "u_site"), ""))
	})
	for _, text := range all {
		if withoutIDs(text) != withoutIDs(all[0]) {
			t.Errorf("%s\nand\n%s", text, all[0])
		}
	}
}

// withoutIDs blanks sys_ids out, which differ from store to store.
func withoutIDs(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' })
	for i, word := range words {
		if len(word) == 32 {
			words[i] = "id"
		}
	}
	return strings.Join(words, ",")
}

func TestPackedFileHoldsTheSameAndDependsOnNothingElse(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.fill(t, 100)
	w.set(t, "zipped", "true", "file_name", "${seq}.csv")
	first, second := w.run(t), w.run(t)
	if first.FileName != "000001.csv.gz" || first.SHA256 != second.SHA256 {
		t.Errorf("%s %s, %s %s", first.FileName, first.SHA256, second.FileName, second.SHA256)
	}
	z, err := gzip.NewReader(strings.NewReader(w.read(t, first.FileName)))
	check(t, err)
	text, err := io.ReadAll(z)
	check(t, err)
	if lines := bytes.Count(text, []byte("\n")); lines != 101 || first.Rows != 100 {
		t.Errorf("%d lines, %d rows", lines, first.Rows)
	}
}

func TestWorkbookReadsBack(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.furnish(t)
	w.set(t, "format", "xlsx", "fields", "name,cores,note", "file_name", "a.xlsx")
	w.run(t)
	var got []string
	for row, err := range (xlsx.Format{}).Rows(t.Context(), strings.NewReader(w.read(t, "a.xlsx")), format.Options{}) {
		check(t, err)
		for _, c := range row.Cells {
			got = append(got, c.Text)
		}
	}
	if text := strings.Join(got, "|"); text != "alpha|-8|'=cmd()|beta||line\nbreak; \"quoted\"" {
		t.Errorf("%q", text)
	}
}

func TestAccessRulesHoldForTheUserThatItRunsAs(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, t.TempDir())
		w.furnish(t)
		_, err := w.access.CreateUser(t.Context(), access.NewUser{UserName: "partner"})
		check(t, err)
		who, err := w.access.IdentityOf(t.Context(), "partner")
		check(t, err)
		for _, rule := range [][]string{{"u_server", "state=1"}, {"u_server.note", "name=nobody"}, {"u_server.cores", ""}, {"u_site", ""}} {
			w.add(t, access.RuleTable, "operation", "read", "name", rule[0], "condition", rule[1])
		}
		id := w.set(t, "fields", "name,cores,note", "run_as", who.UserID, "file_name", "${seq}.csv")
		if got := w.read(t, w.run(t).FileName); got != "name,cores,note\nalpha,-8,\n" {
			t.Errorf("%q", got)
		}
		w.change(t, export.SetTable, id, "order_by", "note")
		if r, err := w.Run(t.Context(), "servers", record.System); r.State != export.Done && fault.KindOf(err) != fault.Denied {
			t.Errorf("%+v, %v", r, err)
		}
		w.change(t, export.SetTable, id, "run_as", "", "order_by", "name")
		if r, err := w.Run(t.Context(), "servers", who.Actor); err != nil || r.Rows != 1 { // as a schedule that runs as the user
			t.Errorf("%+v, %v", r, err)
		}
		check(t, w.access.SetActive(t.Context(), "partner", false))
		if r, err := w.Run(t.Context(), "servers", who.Actor); fault.KindOf(err) != fault.Denied || r.State != export.Failed {
			t.Errorf("an inactive user: %+v, %v", r, err)
		}
	})
}

func TestWhatIsWrongWithASetIsSaidBeforeAnythingIsSent(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.furnish(t)
	for name, c := range map[string]struct {
		set  []string
		kind fault.Kind
		says string
	}{
		"table":           {[]string{"table_name", "u_servers"}, fault.NotFound, "table_name"},
		"query":           {[]string{"query", "nmae=x"}, fault.Invalid, "nmae"},
		"field":           {[]string{"fields", "name,site.town"}, fault.Invalid, "site.town"},
		"secret":          {[]string{"fields", "token"}, fault.Invalid, "secret"},
		"order":           {[]string{"order_by", "-nmae"}, fault.Invalid, "order_by"},
		"format":          {[]string{"format", "pdf"}, fault.Invalid, "pdf"},
		"option":          {[]string{"format_options", `{"delimeter": ";"}`}, fault.Invalid, "delimeter"},
		"no object":       {[]string{"format_options", `[1]`}, fault.Invalid, "format_options"},
		"zone":            {[]string{"zone", "Europe/Wien"}, fault.Invalid, "Europe/Wien"},
		"name":            {[]string{"file_name", "${day}.csv"}, fault.Invalid, "${day}"},
		"hidden name":     {[]string{"file_name", ".x.csv"}, fault.Invalid, "file_name"},
		"unfinished name": {[]string{"file_name", "x.csv.part"}, fault.Invalid, "file_name"},
		"long name":       {[]string{"file_name", strings.Repeat("x", 201)}, fault.Invalid, "file_name"},
		"overlap":         {[]string{"incremental", "true", "overlap", "soon"}, fault.Invalid, "overlap"},
		"policy":          {[]string{"delivery_policy", strings.Repeat("0", 32)}, fault.NotFound, "delivery policy"},
		"scheme":          {[]string{"connection_url", "gopher://x/"}, fault.Invalid, "gopher"},
		"credential":      {[]string{"connection_url", "sftp://host/in", "credential", "nobody"}, fault.NotFound, "nobody"},
		"control by POST": {[]string{"connection_url", "http://127.0.0.1:9/", "http_method", "POST", "control_file", "ok"}, fault.Invalid, "control_file"},
		"no records":      {[]string{"query", "name=nobody", "on_zero_rows", "fail"}, fault.Refused, "no records"},
		"not active":      {[]string{"active", "false"}, fault.Refused, "not active"},
	} {
		t.Run(name, func(t *testing.T) {
			w.set(t, c.set...)
			r, err := w.Run(t.Context(), "servers", record.System)
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want a fault of kind %s that says %s", err, c.kind, c.says)
			}
			if r != nil && (r.State != export.Failed && r.State != export.Dead || r.Error == "") || len(w.delivered(t)) > 0 {
				t.Errorf("%+v, %v", r, w.delivered(t))
			}
		})
	}
}

func TestASetThatIsNotThereIsNamed(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.set(t)
	if _, err := w.Run(t.Context(), "server", record.System); fault.KindOf(err) != fault.NotFound || !strings.Contains(fault.HintOf(err), "servers") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func TestWithoutRecordsNothingIsWrittenWhereTheSetSaysSo(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.set(t, "on_zero_rows", "skip")
	r, err := w.Run(t.Context(), "servers", record.System)
	check(t, err)
	if r.State != export.Empty || len(w.delivered(t)) > 0 {
		t.Errorf("%+v, %v", r, w.delivered(t))
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(w.out), "spool", "*[0-9a-f]*.part")); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}

func TestIncrementalFilesHoldWhatChangedSinceTheLastDelivery(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, t.TempDir())
		id := w.furnish(t)
		w.set(t, "incremental", "true", "overlap", "5m", "fields", "name", "file_name", "${seq}.csv", "query", "name!=nobody^ORname=x")
		first := w.run(t)
		if first.Rows != 2 || first.Since != "" || first.High != "2026-03-04 05:06:07" {
			t.Errorf("%+v", first)
		}
		w.clock.pass(time.Hour)
		if r := w.run(t); r.Rows != 2 { // what changed within the overlap comes once more
			t.Errorf("%+v", r)
		}
		w.change(t, "u_server", id, "note", "new")
		w.clock.pass(time.Hour)
		if r := w.run(t); r.Rows != 2 || r.High != "2026-03-04 06:06:07" { // both stamps are within five minutes of the last mark
			t.Errorf("%+v", r)
		}
		if r := w.run(t); r.Rows != 1 || w.read(t, r.FileName) != "name\nalpha\n" {
			t.Errorf("%+v", r)
		}
		full, err := w.Start(t.Context(), export.Request{Name: "servers", Actor: record.System, Full: true})
		check(t, err)
		if full.Rows != 2 {
			t.Errorf("%+v", full)
		}
	})
}

func TestAFastClockHidesNothing(t *testing.T) {
	w := open(t, stores.SQLite(t), t.TempDir())
	w.set(t, "incremental", "true", "overlap", "5m", "fields", "name")
	w.clock.pass(24 * time.Hour)
	w.add(t, "u_server", "name", "from a fast node")
	w.clock.pass(-24 * time.Hour)
	if r := w.run(t); r.Rows != 1 || r.High != "2026-03-04 05:06:07" {
		t.Errorf("%+v", r)
	}
	w.clock.pass(time.Minute)
	w.add(t, "u_server", "name", "from another")
	if r := w.run(t); r.Rows != 2 {
		t.Errorf("%+v", r)
	}
}
