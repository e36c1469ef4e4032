package importset_test

import (
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/resttest"
)

// Rows of a staging table, and those that were rejected, are read as records; nobody writes them there.
func TestStagedRowsAreRecords(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := feed(t, store)
		w.Call("loader", "POST /api/now/import/u_feed", `{"number":"1","name":"Ada","born":"1815-12-10"}`, "Content-Type: application/json")
		w.Call("loader", "POST /api/now/import/u_feed", `{"number":"2","born":"yesterday","Shoe size":"42"}`, "Content-Type: application/json")
		var list struct{ Result []map[string]string }
		read := func(user, line string, total string) []map[string]string {
			t.Helper()
			list.Result = nil
			a := w.Call(user, "GET /api/now/table/"+line, nil)
			if a.Status != 200 || a.Header.Get("X-Total-Count") != total {
				t.Fatalf("%s: %d, %s in all: %s", line, a.Status, a.Header.Get("X-Total-Count"), a.Body)
			}
			a.JSON(t, &list)
			return list.Result
		}
		const flat = "&sysparm_exclude_reference_link=true"
		all := read("loader", "u_feed?sysparm_query=ORDERBYDESCnumber"+flat, "2")
		if len(all) != 2 || all[0]["number"] != "2" || all[0]["shoe_size"] != "42" || all[0]["sys_import_state"] != "error" || all[0]["sys_import_state_comment"] == "" ||
			all[1]["name"] != "Ada" || all[1]["sys_import_state"] != "inserted" || len(all[1]["sys_target_sys_id"]) != 32 || all[1]["sys_created_by"] != "loader" {
			t.Errorf("%v", all)
		}
		if got := read("loader", "u_feed?sysparm_query=nameSTARTSWITHa&sysparm_fields=number,sys_import_set&sysparm_limit=1"+flat, "1"); len(got) != 1 || len(got[0]["sys_import_set"]) != 32 {
			t.Errorf("%v", got)
		}
		if got := read("loader", "u_feed?sysparm_query=sys_import_set="+all[0]["sys_import_set"]+flat+"&sysparm_limit=1", "2"); len(got) != 1 {
			t.Errorf("a page: %v", got)
		}
		errors := read("loader", "sys_import_set_row_error?sysparm_fields=sys_id,error,source,sys_import_row"+flat, "1")
		if len(errors) != 1 || errors[0]["error"] != "date_unparsable" || errors[0]["source"] != "u_feed" || errors[0]["sys_id"] != all[0]["sys_id"] {
			t.Errorf("%v", errors)
		}
		var one struct{ Result map[string]string }
		a := w.Call("loader", "GET /api/now/table/u_feed/"+all[1]["sys_id"]+"?sysparm_exclude_reference_link=true", nil)
		if a.JSON(t, &one); one.Result["number"] != "1" {
			t.Errorf("one: %d %s", a.Status, a.Body)
		}
		read("guest", "u_feed", "0")
		for line, status := range map[string]int{"GET u_feed/" + all[1]["sys_id"]: 404, "GET u_nix": 400, "POST u_feed": 403, "DELETE u_feed/" + all[1]["sys_id"]: 403} {
			method, path, _ := strings.Cut(line, " ")
			user := "guest"
			if method != "GET" {
				user = "loader"
			}
			if a := w.Call(user, method+" /api/now/table/"+path, `{}`, "Content-Type: application/json"); a.Status != status {
				t.Errorf("%s: %d %s", line, a.Status, a.Body)
			}
		}
	})
}
