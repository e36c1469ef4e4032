package export_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/export"
	"headrace/internal/door/rest/resttest"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/wire"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

var (
	one = strings.Repeat("1", 32)
	two = strings.Repeat("2", 32)
)

func world(t testing.TB, store record.Store) *resttest.World {
	text := func(name, label string) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String}
	}
	w := resttest.New(t, store, []record.Table{
		{Name: "sys_properties", Fields: []record.Field{text("name", "Name"), text("value", "Value")}},
		{Name: "u_note", Label: "Note", Fields: []record.Field{text("u_text", "Text"), {Name: "u_of", Label: "Of", Type: record.Reference, Reference: "u_note"},
			{Name: "u_state", Label: "State", Type: record.Choice, Choices: []record.Option{{Value: "1", Label: "New"}}}}},
	}, []format.Format{xlsx.Format{}}, func(d wire.Deps, inside http.Handler) []wire.Route {
		return append(export.Routes(d, inside), table.Routes(d)...)
	})
	w.Insert("u_note", "sys_id", one, "u_text", `=say "ü" & €`, "u_state", "1")
	w.Insert("u_note", "sys_id", two, "u_text", "漢\nline", "u_of", one)
	return w
}

func TestExportsAreAsThePlatformWritesThem(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		at := strings.Repeat("1", 32)
		for _, c := range []struct {
			path, kind, body string
		}{
			{"/u_note_list.do?CSV", "text/csv;charset=windows-1252", "\"u_text\",\"u_of\",\"u_state\"\r\n\"=say \"\"\xfc\"\" & \x80\",\"\",\"New\"\r\n\"?\nline\",\"" + at + "\",\"\"\r\n"},
			{"/u_note.do?sysparm_query=u_state=1&CSV&sysparm_fields=u_state,sys_id,nix,u_of.u_text", "text/csv;charset=windows-1252", "\"u_state\",\"sys_id\",\"u_of.u_text\"\r\n\"New\",\"" + at + "\",\"\"\r\n"},
			{"/u_note_list.do?CSV&sysparm_fields=u_state&sysparm_display_value=false&sysparm_export_column_header_label=true&sysparm_record_count=1", "text/csv;charset=windows-1252", "\"State\"\r\n\"1\"\r\n"},
			{"/u_note_list.do?CSV&sysparm_fields=u_state&sysparm_orderby=u_state", "text/csv;charset=windows-1252", "\"u_state\"\r\n\"\"\r\n\"New\"\r\n"},
			{"/u_note_list.do?XML&sysparm_query=u_text=none", "text/xml;charset=UTF-8", `<?xml version="1.0" encoding="UTF-8"?><xml/>`},
			{"/u_note.do?JSONv2&sysparm_action=getKeys", "application/json;charset=UTF-8", `{"records":["` + one + `","` + two + `"]}`},
			{"/u_note.do?JSONv2&sysparm_sys_id=" + strings.Repeat("9", 32), "application/json;charset=UTF-8", `{"records":[]}`},
		} {
			a := w.Call("admin", "GET "+c.path, nil)
			if a.Status != 200 || a.Header.Get("Content-Type") != c.kind || string(a.Body) != c.body {
				t.Errorf("%s: %d %s\n%q, not\n%q", c.path, a.Status, a.Header.Get("Content-Type"), a.Body, c.body)
			}
		}
		xml := string(w.Call("admin", "GET /u_note.do?XML&sys_id="+two, nil).Body)
		for _, part := range []string{"<xml><u_note><sys_id>" + two, "<u_of display_value=", ">" + one + "</u_of>", "<u_state/>", "<u_text>漢&#xA;line</u_text>", "</u_note></xml>"} {
			if !strings.Contains(xml, part) {
				t.Errorf("no %s in %s", part, xml)
			}
		}
		if unload := string(w.Call("admin", "GET /u_note.do?XML&useUnloadFormat=true&sys_id="+two, nil).Body); !strings.Contains(unload, `<unload unload_date="`) || !strings.Contains(unload, `<u_note action="INSERT_OR_UPDATE">`) {
			t.Error(unload)
		}
		var list struct{ Records []map[string]string }
		w.Call("admin", "GET /u_note.do?JSONv2&sysparm_query=u_state=1&displayvalue=all", nil).JSON(t, &list)
		if len(list.Records) != 1 || list.Records[0]["u_state"] != "1" || list.Records[0]["dv_u_state"] != "New" || list.Records[0]["__status"] != "success" {
			t.Errorf("%v", list)
		}
		book := w.Call("admin", "GET /u_note_list.do?XLSX", nil)
		if book.Status != 200 || !bytes.HasPrefix(book.Body, []byte("PK")) || !strings.Contains(book.Header.Get("Content-Disposition"), `"u_note.xlsx"`) {
			t.Errorf("%d %s", book.Status, book.Header)
		}
	})
}

func TestExportsAreWhatTheCallerMayRead(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		w.Insert("sys_security_acl", "name", "u_note", "operation", "read", "condition", "u_state=1")
		w.Insert("sys_security_acl", "name", "u_note.u_text", "operation", "read", "condition", "u_state=2")
		a := w.Call("guest", "GET /u_note_list.do?CSV&sysparm_fields=sys_id,u_text", nil)
		if want := "\"sys_id\",\"u_text\"\r\n\"" + one + "\",\"\"\r\n"; string(a.Body) != want {
			t.Errorf("%q, not %q", a.Body, want)
		}
		for line, status := range map[string]int{"GET /u_nix.do?CSV": 400, "GET /u_note.do?PDF": 400, "GET /u_note.do": 400, "GET /favicon.ico": 400, "GET /u_note.do?JSONv2&sysparm_action=deleteRecord": 400} {
			if a := w.Call("guest", line, nil); a.Status != status {
				t.Errorf("%s: %d %s", line, a.Status, a.Body)
			}
		}
		if a := w.Call("", "GET /u_note.do?CSV", nil); a.Status != 401 {
			t.Errorf("nobody: %d", a.Status)
		}
	})
}

func TestExportsEndAtTheirLimit(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		notes := w.DB.Catalog().Table("u_note")
		rows := &record.Rows{Fields: []string{record.SysID, "u_text"}}
		for i := range 1200 {
			rows.Values = append(rows.Values, record.Text(record.NewID()), record.Text(fmt.Sprint(i)))
		}
		if err := w.DB.As(record.System).Write(t.Context(), func(rw *record.Writer) error { return rw.InsertRows(t.Context(), notes, rows) }); err != nil {
			t.Fatal(err)
		}
		lines := func() int {
			return bytes.Count(w.Call("admin", "GET /u_note_list.do?CSV&sysparm_fields=sys_id", nil).Body, []byte("\r\n")) - 1
		}
		if n := lines(); n != 1202 {
			t.Errorf("%d of all", n)
		}
		w.Insert("sys_properties", "name", "glide.ui.export.limit", "value", "700")
		if n := lines(); n != 700 {
			t.Errorf("%d of 700", n)
		}
		w.Insert("sys_properties", "name", "glide.csv.export.limit", "value", "1001")
		if n := lines(); n != 1001 {
			t.Errorf("%d of 1001", n)
		}
	})
}
