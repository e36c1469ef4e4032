package importset_test

import (
	"strconv"
	"strings"
	"testing"

	"headrace/internal/flow/importset"
	"headrace/internal/store/storetest/stores"
)

// FuzzPush: a body is refused, or each of its rows has a result.
func FuzzPush(f *testing.F) {
	for _, s := range []string{`{"number":"1","name":"Ada"}`, `{"records":[{"number":"2"},{"Number":3,"born":"x"}]}`, `{"records":[]}`, `[{}]`, `{"number":null,"number":"4"}`,
		`{"":"x"}`, `{"a":{"b":[1]}}`, `{"\u0000":"\ud800"}`} {
		f.Add(s, "application/json")
	}
	f.Add(`<r><e><number>5</number></e><e/></r>`, "text/xml")
	w := feed(f, stores.Open(f, stores.SQLite(f)))
	f.Fuzz(func(t *testing.T, body, kind string) {
		w := w.For(t)
		if kind != "text/xml" {
			kind = "application/json"
		}
		a := w.Call("loader", "POST /api/now/import/u_feed", body, "Content-Type: "+kind)
		switch a.Status {
		case 201:
			var got envelope
			a.JSON(t, &got)
			if len(got.Result) == 0 || got.ImportSet == "" {
				t.Fatalf("%q: %s", body, a.Body)
			}
			for _, r := range got.Result {
				if r["status"] == "" || r["status"] == "pending" || (r["status"] == "error") != (r["error_message"] != "") {
					t.Fatalf("%q: %s", body, a.Body)
				}
			}
		case 400:
		default:
			t.Fatalf("%q: %d %s", body, a.Status, a.Body)
		}
		many := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple", body, "Content-Type: "+kind)
		if many.Status != 201 && many.Status != 400 {
			t.Fatalf("%q: %d %s", body, many.Status, many.Body)
		}
	})
}

// FuzzPushedFile: a form with a file is refused, or becomes a run that balances.
func FuzzPushedFile(f *testing.F) {
	for _, s := range []string{"number,name\n1,Ada\n", "", "number\n\"", "a;b\n1;2\n", "\xff\xfe1\x00"} {
		f.Add(s, "people.csv")
	}
	f.Add("PK\x03\x04", "..\\x")
	w := feed(f, stores.Open(f, stores.SQLite(f)))
	f.Fuzz(func(t *testing.T, content, name string) {
		if strings.ContainsAny(name, "\r\n\x00") {
			return
		}
		form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=" + strconv.QuoteToASCII(name) + "\r\n\r\n" + content + "\r\n--b--\r\n"
		a := w.For(t).Call("loader", "POST /sys_import.do?sysparm_import_set_tablename=u_feed&sysparm_transform_after_load=true", form, "Content-Type: multipart/form-data; boundary=b")
		switch a.Status {
		case 200:
			var got struct{ Result importset.Run }
			a.JSON(t, &got)
			l := got.Result.Ledger
			if l.Read != l.Inserted+l.Updated+l.Unchanged+l.Skipped+l.Rejected {
				t.Fatalf("%q: %s", content, a.Body)
			}
		case 400, 403:
		default:
			t.Fatalf("%q: %d %s", content, a.Status, a.Body)
		}
	})
}
