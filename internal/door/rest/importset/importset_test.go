package importset_test

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/core/record"
	door "headrace/internal/door/rest/importset"
	"headrace/internal/door/rest/resttest"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/script"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

var people = record.Table{Name: "u_person", Label: "Person", Fields: []record.Field{
	{Name: "u_number", Label: "Number", Type: record.String}, {Name: "u_name", Label: "Name", Type: record.String, Display: true},
	{Name: "u_born", Label: "Born", Type: record.Date}}}

// feed is a world in which u_feed goes into u_person by u_number.
func feed(t testing.TB, store record.Store) *resttest.World {
	w := resttest.New(t, store, []record.Table{people}, []format.Format{csv.Format{}}, func(d wire.Deps, _ http.Handler) []wire.Route {
		return append(door.Routes(d), table.Routes(d)...)
	})
	m := w.Insert(importset.MapTable, "name", "People", "source_table", "u_feed", "target_table", "u_person")
	for _, e := range [][2]string{{"u_number", "Number"}, {"u_name", "name"}, {"u_born", "born"}} {
		w.Insert(importset.EntryTable, "map", m, "target_field", e[0], "source_field", e[1], "coalesce", fmt.Sprint(e[0] == "u_number"))
	}
	return w
}

type envelope struct {
	ImportSet string              `json:"import_set"`
	Table     string              `json:"staging_table"`
	Result    []map[string]string `json:"result"`
}

func TestWhatScriptsSayIsInTheAnswer(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		w.Imports.UseScripts(script.New(script.Config{DB: w.DB}))
		m, maps := "", w.DB.Catalog().Table(importset.MapTable)
		for row, err := range w.DB.As(record.System).Select(t.Context(), &record.Query{Table: maps, Fields: []string{record.SysID}}) {
			if err != nil {
				t.Fatal(err)
			}
			m = row[0].Text
		}
		for when, text := range map[string]string{
			"onBefore": "status_message = 'seen ' + source.name; if (source.name == 'Nobody') ignore = true;",
			"onAfter":  "if (target.u_name == 'Eve') error_message = 'beware';",
		} {
			w.Insert(importset.ScriptTable, "map", m, "when", when, "script", text)
		}
		if _, _, err := w.DB.As(record.System).Update(t.Context(), maps, m, []record.Assignment{{Field: "run_script", Value: record.Text("true")},
			{Field: "script", Value: record.Text("response.ticket = 'T' + source.number; response.status = 'mine';")}}); err != nil {
			t.Fatal(err)
		}
		for body, want := range map[string]map[string]string{
			`{"number":"1","name":"Ada"}`:    {"status": "inserted", "status_message": "seen Ada", "ticket": "T1"},
			`{"number":"2","name":"Nobody"}`: {"status": "ignored", "status_message": "seen Nobody", "ticket": ""},
			`{"number":"3","name":"Eve"}`:    {"status": "inserted", "error_message": "beware", "ticket": "T3"},
		} {
			a := w.Call("loader", "POST /api/now/import/u_feed", body, "Content-Type: application/json")
			var got envelope
			a.JSON(t, &got)
			for name, v := range want {
				if len(got.Result) != 1 || got.Result[0][name] != v {
					t.Errorf("%s: %s", body, a.Body)
				}
			}
		}
	})
}

func TestARowIsAnsweredWithWhatBecameOfIt(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		for _, c := range []struct {
			user, body, prefer string
			code               int
			status, message    string
		}{
			{"admin", `{"number":"1","name":"Ada"}`, "", 201, "inserted", ""},
			{"loader", `{"number":"1","name":"Ada"}`, "", 201, "ignored", "No field values changed"},
			{"loader", `{"Number":1,"name":"Ada L."}`, "", 201, "updated", ""},
			{"loader", `{"name":"Nobody"}`, "", 201, "skipped", ""},
			{"loader", `{"number":"2","born":"yesterday"}`, "", 201, "error", ""},
			{"loader", `{"number":"2","born":"yesterday"}`, "handling=strict", 422, "error", ""},
			{"loader", `{"number":"3","shoe":{"size":[42]}}`, "", 201, "inserted", ""},
			{"loader", `{"number":"4","hat":"7"}`, "handling=strict", 400, "", ""},
			{"guest", `{"number":"5"}`, "", 403, "", ""},
			{"loader", `{"number":`, "", 400, "", ""},
		} {
			headers := []string{"Content-Type: application/json"}
			if c.prefer != "" {
				headers = append(headers, "Prefer: "+c.prefer)
			}
			a := w.Call(c.user, "POST /api/now/import/u_feed", c.body, headers...)
			if a.Status != c.code {
				t.Errorf("%s: %d, not %d: %s", c.body, a.Status, c.code, a.Body)
				continue
			}
			if c.status == "" {
				continue
			}
			var got envelope
			a.JSON(t, &got)
			if len(got.Result) != 1 || got.Table != "u_feed" || got.ImportSet != "ISET0010001" {
				t.Fatalf("%s: %s", c.body, a.Body)
			}
			r := got.Result[0]
			if r["status"] != c.status || r["transform_map"] != "People" || r["table"] != "u_person" || c.message != "" && r["status_message"] != c.message {
				t.Errorf("%s: %s", c.body, a.Body)
			}
			written := c.status == "inserted" || c.status == "updated" || c.status == "ignored"
			if written != (r["record_link"] == w.URL+"/api/now/table/u_person/"+r["sys_id"]) || written != (r["display_name"] == "u_name") {
				t.Errorf("%s: link or display: %s", c.body, a.Body)
			}
			if (c.status == "error") != (r["error_message"] != "") {
				t.Errorf("%s: %s", c.body, a.Body)
			}
			at := strings.TrimPrefix(a.Header.Get("Location"), w.URL)
			if again := w.Call(c.user, "GET "+at, nil); !bytes.Equal(again.Body, a.Body) || again.Status != 200 {
				t.Errorf("read again: %d %s, was %s", again.Status, again.Body, a.Body)
			}
			if hidden := w.Call("guest", "GET "+at, nil); hidden.Status != 404 {
				t.Errorf("a guest reads it: %d", hidden.Status)
			}
		}
		if n := w.Count("u_person"); n != 2 {
			t.Errorf("%d people", n)
		}
		if a := w.Call("admin", "POST /api/now/import/u_nothing", `{}`); a.Status != 400 || !strings.Contains(string(a.Body), "Invalid table u_nothing") {
			t.Errorf("no staging table: %d %s", a.Status, a.Body)
		}
		if a := w.Call("", "POST /api/now/import/u_feed", `{"number":"9"}`); a.Status != 401 {
			t.Errorf("nobody: %d", a.Status)
		}
		if a := w.Call("loader", "POST /api/now/v1/import/u_feed", `[{"number":"7","name":"x"},{"number":"8","born":"never"}]`, "Prefer: handling=strict"); a.Status != 207 || strings.Count(string(a.Body), `"status"`) != 2 {
			t.Errorf("a list: %d %s", a.Status, a.Body)
		}
	})
}

func TestXMLIsReadAndWritten(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		a := w.Call("admin", "POST /api/now/import/u_feed", `<request><entry><number>1</number><name>Ada &amp; co</name></entry></request>`, "Content-Type: application/xml", "Accept: application/xml")
		for _, part := range []string{"<import_set>ISET0010001</import_set>", "<status>inserted</status>", "<display_value>Ada &amp; co</display_value>"} {
			if !strings.Contains(string(a.Body), part) || a.Status != 201 {
				t.Errorf("%d, no %s in %s", a.Status, part, a.Body)
			}
		}
	})
}

func TestPushesAtOnceMakeNoDoubles(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		const clients, keys = 8, 12
		w := feed(t, store)
		var pushing sync.WaitGroup
		for c := range clients {
			pushing.Go(func() {
				for k := range keys {
					if a := w.Call("loader", "POST /api/now/import/u_feed", fmt.Sprintf(`{"number":"%d","name":"by %d","extra %d":"x"}`, k, c, c)); a.Status != 201 {
						t.Errorf("%d %s", a.Status, a.Body)
					}
				}
			})
		}
		pushing.Wait()
		run, err := w.Imports.Run(t.Context(), 1)
		if err != nil || run.Ledger.Inserted != keys || run.Ledger.Updated != keys*(clients-1) || !run.Ledger.Balances() || w.Count("u_person") != keys {
			t.Errorf("%v %v", run, err)
		}
		st, err := w.Imports.Staging(t.Context(), "u_feed")
		if err != nil || len(st.Columns) != 3+clients {
			t.Errorf("columns are lost: %v %v", st, err)
		}
	})
}

func TestManyRowsAreKeptAndTransformedAfter(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		a := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple", `{"records":[{"Number":"1","name":"Ada"},{"number":"2","born":"x"}]}`)
		var got map[string]string
		a.JSON(t, &got)
		if a.Status != 201 || len(got["import_set_id"]) != 32 || len(got["multi_import_set_id"]) != 32 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		after := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple?run_after="+got["import_set_id"]+"&multi_import_set_id="+got["multi_import_set_id"], `{"records":[{"Number":"1","name":"Ada L."}]}`)
		var second map[string]string
		after.JSON(t, &second)
		if second["multi_import_set_id"] != got["multi_import_set_id"] {
			t.Errorf("the group is another: %s", after.Body)
		}
		type progress struct {
			State  string
			Counts importset.Ledger
			Rows   []struct {
				ID     string `json:"sys_id"`
				Result []map[string]string
			}
		}
		var status, ended progress
		at := "GET " + strings.TrimPrefix(got["status_url"], w.URL)
		w.Call("loader", at, nil).JSON(t, &status)
		if status.State != "loaded" || status.Counts.Pending != 2 || len(status.Rows) != 2 || status.Rows[0].Result[0]["status"] != "pending" {
			t.Errorf("before: %+v", status)
		}
		for _, id := range []string{got["import_set_id"], second["import_set_id"]} {
			if _, err := w.Imports.Transform(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		w.Call("loader", at+"?status=error", nil).JSON(t, &ended)
		if status = ended; status.State != "done" || status.Counts != (importset.Ledger{Read: 2, Inserted: 1, Rejected: 1}) || len(status.Rows) != 1 || status.Rows[0].Result[0]["reason"] != "date_unparsable" {
			t.Errorf("after: %+v", status)
		}
		if a := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple?run_after="+strings.Repeat("0", 32), `{"records":[{"Number":"1"}]}`); a.Status != 400 {
			t.Errorf("after nothing: %d %s", a.Status, a.Body)
		}
		if a := w.Call("guest", "POST /api/now/import/u_feed/insertMultiple", `{"records":[{"Number":"1"}]}`); a.Status != 403 {
			t.Errorf("a guest: %d", a.Status)
		}
		if a := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple", `{"records":[]}`); a.Status != 400 {
			t.Errorf("no records: %d %s", a.Status, a.Body)
		}
	})
}

func TestAStagingTableMayTransformManyRowsAtOnce(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		w.Insert(importset.StagingTable, "name", "u_feed", "synchronous", "true")
		a := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple", `{"records":[{"Number":"1","name":"Ada"},{"number":"2","born":"x"}]}`, "Prefer: handling=strict")
		if a.Status != 207 || !strings.Contains(string(a.Body), `"state":"done"`) || !strings.Contains(string(a.Body), `"status":"inserted"`) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

func TestAFileIsPushedAsAForm(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("attachment", "people.csv")
		if err == nil {
			_, err = part.Write([]byte("number,name,born\n1,Ada,1815-12-10\n2,Bob,soon\n"))
		}
		if err == nil {
			err = form.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		const path = "POST /sys_import.do?sysparm_import_set_tablename=u_feed&sysparm_transform_after_load=true"
		sent := body.String()
		if a := w.Call("guest", path, sent, "Content-Type: "+form.FormDataContentType()); a.Status != 403 {
			t.Errorf("a guest: %d", a.Status)
		}
		a := w.Call("loader", path, sent, "Content-Type: "+form.FormDataContentType())
		if a.Status != 200 || !strings.Contains(string(a.Body), `"read":2,"inserted":1`) || w.Count("u_person") != 1 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := w.Call("loader", path, sent[:len(sent)/2], "Content-Type: "+form.FormDataContentType()); a.Status != 400 {
			t.Errorf("half a form: %d %s", a.Status, a.Body)
		}
	})
}

// TestRowsAcknowledgedAreThereOnce pushes rows from 8 clients while the worker is cut off and started again, as a server
// that dies and comes back. What was acknowledged is there once, and every ledger balances.
func TestRowsAcknowledgedAreThereOnce(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		const clients, pushes, rows = 8, 5, 100
		w := feed(t, store)
		var pushing sync.WaitGroup
		done := make(chan struct{})
		for c := range clients {
			pushing.Go(func() {
				for p := range pushes {
					var b strings.Builder
					for i := range rows {
						fmt.Fprintf(&b, `,{"number":"%d-%d-%d","name":"n"}`, c, p, i)
					}
					if a := w.Call("loader", "POST /api/now/import/u_feed/insertMultiple", `{"records":[`+b.String()[1:]+"]}"); a.Status != 201 {
						t.Errorf("%d %s", a.Status, a.Body)
					}
				}
			})
		}
		go func() { pushing.Wait(); close(done) }()
		for cut := true; cut; {
			cut = !over(done)
			work(t, importset.New(w.DB), !cut, done, w)
		}
		if n := w.Count("u_person"); n != clients*pushes*rows {
			t.Errorf("%d people", n)
		}
		runs, err := w.Imports.Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if r.State != importset.Done || !r.Ledger.Balances() || r.Ledger.Inserted != rows {
				t.Errorf("run %d: %s %s", r.Number, r.State, r.Ledger)
			}
		}
	})
}

// work runs a worker until it has done something, or everything.
func work(t *testing.T, s *importset.Service, all bool, done <-chan struct{}, w *resttest.World) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		s.Work(ctx, func(run int64, err error) {
			if ctx.Err() == nil {
				t.Errorf("run %d: %v", run, err)
			}
		})
	})
	for before := w.Count("u_person"); ; {
		if all && finished(t, w) || !all && (w.Count("u_person") > before || over(done)) {
			break
		}
	}
	cancel()
	working.Wait()
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func finished(t *testing.T, w *resttest.World) bool {
	runs, err := w.Imports.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if r.State != importset.Done {
			return false
		}
	}
	return true
}
