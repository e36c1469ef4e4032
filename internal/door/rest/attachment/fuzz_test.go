package attachment_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"headrace/internal/door/rest/attachment"
	"headrace/internal/store/storetest/stores"
)

// FuzzUploadForm: a form is refused and leaves nothing, or its file is kept as it came.
func FuzzUploadForm(f *testing.F) {
	w, open, _ := desk(f, stores.Open(f, stores.SQLite(f)))
	part := func(head, body string) string {
		return "--b\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + body + "\r\n"
	}
	at := part(`name="table_name"`, "u_note") + part(`name="table_sys_id"`, open)
	for _, s := range []string{at + part(`name="uploadFile"; filename="a.txt"`, "content") + "--b--\r\n", at + part(`name="f"; filename="../ü\".x"`, "\x00\xff") + "--b--",
		part(`filename=""`, "x"), at + "--b--\r\n", at + "--b\r\n\r\n", "--b\r\nContent-Type: a/b; x\r\n", ""} {
		f.Add(s, "b")
	}
	f.Fuzz(func(t *testing.T, form, boundary string) {
		w := w.For(t)
		if strings.ContainsAny(boundary, "\r\n\x00") || strings.TrimSpace(boundary) != boundary {
			return
		}
		a := w.Call("loader", "POST /api/now/attachment/upload", form, "Content-Type: multipart/form-data; boundary="+strconv.Quote(boundary))
		if a.Status == 201 {
			meta := result(t, a)
			got := w.Call("loader", "GET /api/now/attachment/"+meta["sys_id"]+"/file", nil)
			sum := sha256.Sum256(got.Body)
			if meta["hash"] != hex.EncodeToString(sum[:]) || meta["size_bytes"] != strconv.Itoa(len(got.Body)) || meta["file_name"] == "" || strings.ContainsAny(meta["file_name"], "/\\\n") {
				t.Fatalf("%q: %v gives %q", form, meta, got.Body)
			}
			if a := w.Call("loader", "DELETE /api/now/attachment/"+meta["sys_id"], nil); a.Status != 204 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		} else if a.Status != 400 && a.Status != 415 && a.Status != 404 {
			t.Fatalf("%q: %d %s", form, a.Status, a.Body)
		}
		if n := w.Count(attachment.Table) + w.Count(attachment.DocTable); n != 0 {
			t.Fatalf("%q leaves %d records", form, n)
		}
	})
}

// FuzzMetadata: names, types and ranges of a file are whatever the client says, and answers stay whole.
func FuzzMetadata(f *testing.F) {
	w, open, _ := desk(f, stores.Open(f, stores.SQLite(f)))
	const content = "0123456789"
	for _, s := range [][3]string{{`{"file_name":"x.txt"}`, "text/plain", "bytes=0-3"}, {`{"file_name":"a\nb\"ü"}`, "a/b; c=\"d\"", "bytes=-4"}, {`{}`, "", "bytes=5-"},
		{`{"file_name":{}}`, "x", "bytes=9-2"}, {`{"file_name":"\u2028/"}`, "é", "bytes=99999999999999999999-"}, {``, "a/b", "bytes=-0"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, rename, kind, span string) {
		w := w.For(t)
		if !header(kind) || !header(span) {
			return
		}
		a := w.Call("loader", "POST /api/now/attachment/file?table_name=u_note&table_sys_id="+open+"&file_name=x", content, "Content-Type: "+kind)
		if a.Status == 400 && !utf8.ValidString(kind) {
			return
		}
		if a.Status != 201 {
			t.Fatalf("%q: %d %s", kind, a.Status, a.Body)
		}
		one := "/api/now/attachment/" + result(t, a)["sys_id"]
		if a := w.Call("loader", "PATCH "+one, rename, "Content-Type: application/json"); a.Status != 204 && a.Status != 400 {
			t.Fatalf("%q: %d %s", rename, a.Status, a.Body)
		}
		got := w.Call("loader", "GET "+one+"/file", nil, "Range: "+span)
		switch got.Status {
		case 200:
			if string(got.Body) != content {
				t.Fatalf("%q gives %q", span, got.Body)
			}
		case 206:
			var from, to, all int
			if _, err := fmt.Sscanf(got.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &all); err != nil || all != len(content) || content[from:to+1] != string(got.Body) {
				t.Fatalf("%q gives %q, %q", span, got.Header.Get("Content-Range"), got.Body)
			}
		case 416:
		default:
			t.Fatalf("%q: %d %s", span, got.Status, got.Body)
		}
		if meta := got.Header.Get("X-Attachment-Metadata"); bytes.ContainsAny([]byte(meta), "\r\n") {
			t.Fatalf("%q", meta)
		}
		if a := w.Call("loader", "DELETE "+one, nil); a.Status != 204 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	})
}

// header reports whether a text can be sent as a header.
func header(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
