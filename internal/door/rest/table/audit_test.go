package table_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// The audit tells of each field what it was and what it became, and of nothing that the caller may not read.
func TestTheAuditTellsBeforeAndAfter(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := serve(t, cfg, nil)
		note := strings.Repeat("9", 32)
		for _, c := range []string{`POST /api/now/table/u_note {"sys_id":"` + note + `","u_key":"audited","u_text":"one"}`, `PATCH /api/now/table/u_note/` + note + ` {"u_text":"two"}`,
			`PATCH /api/now/table/u_note/` + note + ` {"u_text":"three","u_key":"again"}`} {
			do, body, _ := strings.Cut(c, " {")
			if resp, text := s.call(t, do, "{"+body); resp.StatusCode >= 300 {
				t.Fatalf("%s: %d %s", c, resp.StatusCode, text)
			}
		}
		type line struct {
			ID        string `json:"sys_id"`
			Field     string `json:"fieldname"`
			Old       string `json:"oldvalue"`
			New       string `json:"newvalue"`
			User      string `json:"user"`
			Table     string `json:"tablename"`
			Key       string `json:"documentkey"`
			CreatedOn string `json:"sys_created_on"`
		}
		read := func(query string, headers ...string) (out []line, text string) {
			t.Helper()
			resp, text := s.call(t, "GET /api/now/table/sys_audit?sysparm_query="+query, "", headers...)
			var list struct{ Result []line }
			if err := json.Unmarshal([]byte(text), &list); err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Total-Count") != fmt.Sprint(len(list.Result)) {
				t.Fatalf("%s: %d %v %s", query, resp.StatusCode, err, text)
			}
			return list.Result, text
		}
		of := "documentkey=" + note
		texts, told := read(of + "^fieldname=u_text^ORDERBYsys_created_on")
		if len(texts) != 2 || texts[0].Old != "one" || texts[0].New != "two" || texts[1].Old != "two" || texts[1].New != "three" || texts[0].User != "abel.tuter" ||
			texts[0].Table != "u_note" || texts[0].Key != note || texts[0].CreatedOn != "2026-11-23 12:00:00" {
			t.Errorf("%s", told)
		}
		if all, told := read("tablename=u_note^" + of + "^userINabel.tuter,x^sys_created_on>2026-01-01+00:00:00"); len(all) != 3 {
			t.Errorf("%s", told)
		}
		if one, told := read("sys_id=" + texts[1].ID); len(one) != 1 || one[0].New != "three" {
			t.Errorf("by id: %s", told)
		}
		if resp, text := s.call(t, "GET /api/now/table/sys_audit/"+texts[0].ID, ""); resp.StatusCode != 200 || !strings.Contains(text, `"newvalue":"two"`) {
			t.Errorf("one: %d %s", resp.StatusCode, text)
		}
		if resp, _ := s.call(t, "DELETE /api/now/table/u_note/"+note, ""); resp.StatusCode != 204 {
			t.Errorf("%d", resp.StatusCode)
		}
		if all, told := read(of + "^ORDERBYDESCsys_id"); len(all) != 4 || all[0].Field != "DELETED" || all[1].New+all[2].New != "threeagain" && all[1].New+all[2].New != "againthree" {
			t.Errorf("after the deletion: %s", told)
		}
		for do, status := range map[string]int{"POST /api/now/table/sys_audit": 403, "DELETE /api/now/table/sys_audit/" + texts[0].ID: 403, "GET /api/now/table/sys_audit/" + note: 404} {
			if resp, text := s.call(t, do, "{}"); resp.StatusCode != status {
				t.Errorf("%s: %d %s", do, resp.StatusCode, text)
			}
		}
	})
}

// Guests may read active incidents, but not what they are about: the audit is no way around.
func TestTheAuditFollowsTheRulesOfItsRecords(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := serve(t, cfg, nil)
		for _, id := range []string{first, next, third} {
			if resp, text := s.call(t, "PATCH /api/now/table/incident/"+id, `{"short_description":"hidden words","reassignment_count":"77"}`); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
		}
		inactive := 0
		for row, err := range s.db.As(record.System).Select(t.Context(), &record.Query{Table: s.db.Catalog().Table("incident"), Fields: []string{"active"}}) {
			if err != nil {
				t.Fatal(err)
			}
			if row[0].Text != "true" {
				inactive++
			}
		}
		_, all := s.call(t, "GET /api/now/table/sys_audit?sysparm_query=fieldname=reassignment_count", "")
		_, guests := s.call(t, "GET /api/now/table/sys_audit", "", "As: guest")
		if strings.Contains(guests, "hidden words") || inactive == 0 || strings.Count(guests, `"newvalue":"77"`) != strings.Count(all, `"newvalue":"77"`)-inactive {
			t.Errorf("%d inactive; guests read %s\nof %s", inactive, guests, all)
		}
	})
}
