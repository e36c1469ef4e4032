package attachment_test

import (
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/attachment"
	"headrace/internal/door/rest/resttest"
)

// Files of a record that was deleted are out of sight at once and go after a day; those of one that was brought back stay.
func TestFilesOfDeletedRecordsGo(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, shut := desk(t, store)
		ids := map[string]string{}
		for _, at := range []string{open, shut} {
			ids[at] = result(t, w.Call("admin", "POST /api/now/attachment/file?table_name=u_note&table_sys_id="+at+"&file_name=x", "content"))["sys_id"]
		}
		w.Insert(attachment.Table, "table_name", "u_note", "table_sys_id", open, "file_name", "broken off", "state", "pending")
		note := w.DB.Catalog().Table("u_note")
		if err := w.DB.As(record.System).Delete(t.Context(), note, open); err != nil {
			t.Fatal(err)
		}
		if a := w.Call("admin", "GET /api/now/attachment/"+ids[open]+"/file", nil); a.Status != 404 {
			t.Errorf("a file of a deleted record: %d", a.Status)
		}
		sweep := func(later time.Duration, files, pieces int64) {
			t.Helper()
			clock := func() time.Time { return time.Now().Add(later) }
			db, err := record.Open(t.Context(), store, record.Config{Clock: clock})
			if err == nil {
				err = attachment.Sweep(t.Context(), db)
			}
			if err != nil {
				t.Fatal(err)
			}
			if f, p := w.Count(attachment.Table), w.Count(attachment.DocTable); f != files || p != pieces {
				t.Errorf("%v later: %d files of %d pieces, want %d and %d", later, f, p, files, pieces)
			}
		}
		sweep(23*time.Hour, 3, 2)
		w.Insert("u_note", "sys_id", open, "u_text", "open")
		sweep(25*time.Hour, 2, 2)
		if err := w.DB.As(record.System).Delete(t.Context(), note, open); err != nil {
			t.Fatal(err)
		}
		sweep(25*time.Hour, 1, 1)
		if a := w.Call("admin", "GET /api/now/attachment/"+ids[shut]+"/file", nil); string(a.Body) != "content" {
			t.Errorf("the other file: %d %q", a.Status, a.Body)
		}
	})
}
