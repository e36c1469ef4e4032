package attachment_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/attachment"
	"headrace/internal/door/rest/resttest"
	"headrace/internal/door/rest/wire"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func tables() []record.Table {
	text := func(name string) record.Field { return record.Field{Name: name, Type: record.String} }
	whole := func(name string) record.Field { return record.Field{Name: name, Type: record.Integer} }
	return []record.Table{
		{Name: attachment.Table, Fields: []record.Field{text("file_name"), text("table_name"), text("table_sys_id"), text("content_type"), whole("size_bytes"),
			whole("size_compressed"), text("compressed"), whole("chunk_size_bytes"), text("hash"), text("state"), text("encryption_context"), text("attributes")}},
		{Name: attachment.DocTable, Fields: []record.Field{{Name: attachment.Table, Type: record.Reference, Reference: attachment.Table}, whole("position"), whole("length"), text("data")},
			Indexes: []record.Index{{Fields: []string{attachment.Table, "position"}, Unique: true}}},
		{Name: "u_note", Fields: []record.Field{text("u_text")}},
	}
}

// desk is a world with a note that everybody may read and loaders may write, and one that is for admin alone.
func desk(t testing.TB, store record.Store) (w *resttest.World, open, shut string) {
	w = resttest.New(t, store, tables(), nil, func(d wire.Deps, _ http.Handler) []wire.Route { return attachment.Routes(d) })
	open, shut = w.Insert("u_note", "u_text", "open"), w.Insert("u_note", "u_text", "shut")
	w.Insert("sys_security_acl", "name", "u_note", "operation", "read", "condition", "u_text=open")
	write := w.Insert("sys_security_acl", "name", "u_note", "operation", "write", "condition", "u_text=open")
	w.Insert("sys_security_acl_role", "sys_security_acl", write, "sys_user_role", record.IDFrom("sys_user_role", "import_transformer"))
	return w, open, shut
}

func result(t testing.TB, a resttest.Answer) map[string]string {
	t.Helper()
	var out struct{ Result map[string]string }
	a.JSON(t, &out)
	return out.Result
}

func TestAFileComesBackAsItWas(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, shut := desk(t, store)
		content := make([]byte, 3<<20+17)
		for i := range content {
			content[i] = byte(rand.Uint32() >> 8)
		}
		sum := sha256.Sum256(content)
		const name = "f%C3%BCr%20%22uns%22.bin"
		a := w.Call("loader", "POST /api/now/v1/attachment/file?table_name=u_note&table_sys_id="+open+"&file_name="+name, bytes.NewReader(content), "Content-Type: application/x-thing")
		meta := result(t, a)
		if a.Status != 201 || meta["hash"] != hex.EncodeToString(sum[:]) || meta["size_bytes"] != fmt.Sprint(len(content)) || meta["state"] != "available" ||
			meta["content_type"] != "application/x-thing" || meta["file_name"] != `für "uns".bin` || meta["created_by_name"] != "loader" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		at := w.URL + "/api/now/v1/attachment/" + meta["sys_id"] + "/file"
		if a.Header.Get("Location") != at || meta["download_link"] != at {
			t.Errorf("location %q, link %q", a.Header.Get("Location"), meta["download_link"])
		}
		path := strings.TrimPrefix(at, w.URL)
		got := w.Call("guest", "GET "+path, nil, "Accept: */*")
		if got.Status != 200 || !bytes.Equal(got.Body, content) || got.Header.Get("Content-Type") != "application/x-thing" {
			t.Errorf("downloaded: %d, %d bytes", got.Status, len(got.Body))
		}
		var told map[string]string
		if err := json.Unmarshal([]byte(got.Header.Get("X-Attachment-Metadata")), &told); err != nil || told["file_name"] != meta["file_name"] {
			t.Errorf("metadata: %v %q", err, got.Header.Get("X-Attachment-Metadata"))
		}
		for _, c := range []struct {
			ask      string
			from, to int
			status   int
		}{{"bytes=0-9", 0, 10, 206}, {"bytes=1048570-1048580", 1048570, 1048581, 206}, {"bytes=-5", len(content) - 5, len(content), 206},
			{"bytes=3145728-", 3145728, len(content), 206}, {"bytes=0-", 0, len(content), 200}, {"bytes=0-1,4-5", 0, len(content), 200}, {"bytes=9999999-", 0, 0, 416}} {
			part := w.Call("guest", "GET "+path, nil, "Range: "+c.ask)
			if part.Status != c.status || c.status != 416 && !bytes.Equal(part.Body, content[c.from:c.to]) {
				t.Errorf("%s: %d, %d bytes", c.ask, part.Status, len(part.Body))
			}
		}
		one := "/api/now/attachment/" + meta["sys_id"]
		for _, c := range []struct {
			user, line, body string
			status           int
		}{
			{"guest", "PATCH " + one, `{"file_name":"no"}`, 403},
			{"guest", "DELETE " + one, "", 403},
			{"", "GET " + one, "", 401},
			{"loader", "PATCH " + one, `{"file_name":"x/y.txt"}`, 204},
			{"guest", "GET " + one, "", 200},
			{"loader", "POST /api/now/attachment/file?table_name=u_note&file_name=x", "", 400},
			{"loader", "POST /api/now/attachment/file?table_name=u_nix&table_sys_id=1&file_name=x", "", 400},
			{"loader", "POST /api/now/attachment/file?table_name=u_note&table_sys_id=" + shut + "&file_name=x", "x", 404},
			{"guest", "POST /api/now/attachment/file?table_name=u_note&table_sys_id=" + open + "&file_name=x", "x", 403},
			{"loader", "DELETE " + one, "", 204},
			{"loader", "GET " + one, "", 404},
			{"loader", "DELETE " + one, "", 404},
		} {
			if a := w.Call(c.user, c.line, c.body); a.Status != c.status {
				t.Errorf("%s %s: %d, not %d: %s", c.user, c.line, a.Status, c.status, a.Body)
			}
		}
		if n := w.Count(attachment.DocTable); n != 0 {
			t.Errorf("%d pieces stay", n)
		}
	})
}

func TestListsHoldWhatTheCallerMayRead(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, shut := desk(t, store)
		for i, at := range []string{open, shut, open} {
			w.Call("admin", fmt.Sprintf("POST /api/now/attachment/file?table_name=u_note&table_sys_id=%s&file_name=%d.txt", at, i), "text", "Content-Type: text/plain")
		}
		w.Insert(attachment.Table, "table_name", "u_note", "table_sys_id", open, "file_name", "coming.txt", "state", "pending")
		for _, c := range []struct {
			user, query, total string
			got                int
		}{{"admin", "", "3", 3}, {"guest", "", "2", 2}, {"admin", "?sysparm_limit=1", "3", 1}, {"admin", "?sysparm_query=table_sys_id=" + shut, "1", 1},
			{"guest", "?sysparm_query=table_sys_id=" + shut, "0", 0}, {"guest", "?table_sys_id=" + open + "&sysparm_offset=1", "2", 1}, {"admin", "?sysparm_query=file_nameSTARTSWITHcoming", "0", 0}} {
			a := w.Call(c.user, "GET /api/now/attachment"+c.query, nil)
			var list struct{ Result []map[string]string }
			a.JSON(t, &list)
			if len(list.Result) != c.got || a.Header.Get("X-Total-Count") != c.total || a.Header.Get("Link") == "" {
				t.Errorf("%s %s: %d of %s: %s", c.user, c.query, len(list.Result), a.Header.Get("X-Total-Count"), a.Body)
			}
		}
	})
}

func TestAFormHasItsFileLast(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, _ := desk(t, store)
		form := func(fileFirst bool) (string, string) {
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			file := func() {
				p, err := m.CreateFormFile("uploadFile", "a.txt")
				if err == nil {
					_, err = p.Write([]byte("content"))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if fileFirst {
				file()
			}
			for _, f := range [][2]string{{"table_name", "u_note"}, {"table_sys_id", open}} {
				if err := m.WriteField(f[0], f[1]); err != nil {
					t.Fatal(err)
				}
			}
			if !fileFirst {
				file()
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			return b.String(), "Content-Type: " + m.FormDataContentType()
		}
		body, kind := form(false)
		if a := w.Call("loader", "POST /api/now/attachment/upload", body, kind); a.Status != 201 || result(t, a)["size_bytes"] != "7" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := w.Call("loader", "POST /api/now/attachment/upload", body[:len(body)-20], kind); a.Status != 400 {
			t.Errorf("cut off: %d %s", a.Status, a.Body)
		}
		body, kind = form(true)
		if a := w.Call("loader", "POST /api/now/attachment/upload", body, kind); a.Status != 400 {
			t.Errorf("file first: %d %s", a.Status, a.Body)
		}
		if w.Count(attachment.Table) != 1 {
			t.Errorf("%d files stay", w.Count(attachment.Table))
		}
	})
}

func TestABrokenUploadLeavesNothing(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w, open, _ := desk(t, store)
		c, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, w.URL+"/api/now/attachment/file?table_name=u_note&table_sys_id="+open+"&file_name=x", io.LimitReader(zeros{}, 3<<20))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("loader", "loader")
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", r.URL.RequestURI(), r.Header.Get("Authorization"), 5<<20)
		if _, err := io.Copy(c, r.Body); err != nil {
			t.Fatal(err)
		}
		for w.Count(attachment.DocTable) < 2 { // it has begun to be kept
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for w.Count(attachment.DocTable)+w.Count(attachment.Table) > 0 { // ends when the server has cleaned up, else by the test's time limit
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestALargeUploadTakesLittleMemory sends bytes that do not shrink: 32 MB, in the long form 100 MB.
func TestALargeUploadTakesLittleMemory(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		const most = 40 << 20
		size := int64(32 << 20)
		if os.Getenv("HEADRACE_SOAK") != "" {
			size = 100 << 20
		}
		w, open, _ := desk(t, store)
		noise := rand.NewChaCha8([32]byte{1})
		sum := sha256.New()
		var before, peak runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		watched := &watch{r: io.TeeReader(io.LimitReader(noise, size), sum), every: 8 << 20, peak: &peak}
		a := w.Call("loader", "POST /api/now/attachment/file?table_name=u_note&table_sys_id="+open+"&file_name=big", watched)
		if meta := result(t, a); meta["hash"] != hex.EncodeToString(sum.Sum(nil)) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if grown := int64(peak.HeapInuse) - int64(before.HeapInuse); grown > most {
			t.Errorf("the heap grew by %d MB", grown>>20)
		} else {
			t.Logf("%d MB came, the heap grew by %d MB", size>>20, grown>>20)
		}
	})
}

// watch looks at the heap every so many bytes.
type watch struct {
	r           io.Reader
	every, seen int
	peak        *runtime.MemStats
}

func (w *watch) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if w.seen += n; w.seen >= w.every {
		w.seen = 0
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		if now.HeapInuse > w.peak.HeapInuse {
			*w.peak = now
		}
	}
	return n, err
}
