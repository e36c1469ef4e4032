package access_test

import (
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/record"
)

// Who reads the journal itself reads what he would read at the records: not those that are closed to him, nor fields
// that are.
func TestJournalEntriesFollowTheirRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		if _, err := f.db.Define(t.Context(), record.System, false,
			record.Table{Name: "u_log", Extendable: true, Fields: []record.Field{field("name", record.String), field("open", record.Boolean), field("comments", record.Journal), field("work_notes", record.Journal)}},
			record.Table{Name: "u_log_child", Extends: "u_log", Fields: []record.Field{field("extra", record.Journal)}}); err != nil {
			t.Fatal(err)
		}
		f.rule("read", "u_log", "open=true")
		f.rule("read", "u_log.work_notes", "", "itil")
		f.rule("read", record.JournalTable, "")
		f.rule("read", "u_log_child", "", "itil")
		f.add("u_log", "name", "a", "open", "true", "comments", "open comment", "work_notes", "open note")
		f.add("u_log", "name", "b", "open", "false", "comments", "shut comment", "work_notes", "shut note")
		f.add("u_log_child", "name", "c", "open", "true", "comments", "child comment", "extra", "child extra")
		for user, want := range map[string]string{
			"guest": "open comment", "worker": "child comment, child extra, open comment, open note", "boss": "child comment, child extra, open comment, open note, shut comment, shut note",
		} {
			roles := map[string][]string{"worker": {"itil"}, "boss": {"admin"}}[user]
			got := f.names(f.user(user, roles...), record.JournalTable, "value")
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != want {
				t.Errorf("%s reads %s, want %s", user, text, want)
			}
		}
	})
}
