// Package attachment is the Attachment API: files kept beside records, streamed in and out. Who may read a record may
// read its files; who may write it may add and remove them.
package attachment

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	kept "headrace/internal/flow/attachment"
)

// Names of the tables that hold files and their pieces.
const (
	Table    = kept.Table
	DocTable = kept.DocTable
)

// Routes lists the operations of the API.
func Routes(d wire.Deps) []wire.Route {
	a := &api{deps: d, keeper: kept.New(d.DB)}
	const one = "/api/now/attachment/{id}"
	return []wire.Route{
		{Method: http.MethodGet, Pattern: "/api/now/attachment", Handler: a.list},
		{Method: http.MethodGet, Pattern: one, Handler: a.get},
		{Method: http.MethodPatch, Pattern: one, Handler: a.rename},
		{Method: http.MethodDelete, Pattern: one, Handler: a.remove},
		{Method: http.MethodGet, Pattern: one + "/file", Handler: a.download, OwnForm: true},
		{Method: http.MethodGet, Pattern: one + "/attributes", Handler: a.attributes},
		{Method: http.MethodPost, Pattern: one + "/attributes", Handler: a.addAttributes},
		{Method: http.MethodPut, Pattern: one + "/attributes", Handler: a.putAttributes},
		{Method: http.MethodDelete, Pattern: one + "/attributes", Handler: a.removeAttributes},
		{Method: http.MethodPost, Pattern: "/api/now/attachment/file", Handler: a.upload, OwnForm: true},
		{Method: http.MethodPost, Pattern: "/api/now/attachment/upload", Handler: a.uploadForm, OwnForm: true},
	}
}

type api struct {
	deps   wire.Deps
	keeper *kept.Files
}

func (a *api) files() *record.Table { return a.deps.DB.Catalog().Table(Table) }

// found reads a file's record: it must be complete, and the caller must be allowed to do that with the record it is at.
func (a *api) found(r *wire.Request, want record.Access) (*record.Record, error) {
	f, err := r.Session.Trusted().Get(r.Context(), a.files(), r.Params["id"])
	if err != nil {
		return nil, err
	}
	if f.Get("state").Text == kept.Pending {
		return nil, fault.New(fault.NotFound, "file %s is not complete", f.ID())
	}
	return f, a.may(r, f.Get("table_name").Text, f.Get("table_sys_id").Text, want)
}

// get answers with what is known of a file.
func (a *api) get(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Read)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Result: a.meta(r, f)}, nil
}

// rename gives a file another name.
func (a *api) rename(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Write)
	if err != nil {
		return nil, err
	}
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	name, _ := body.Get("file_name")
	if name = baseName(name); name == "" {
		return nil, missing("file_name")
	}
	_, _, err = r.Session.Trusted().Update(r.Context(), a.files(), f.ID(), []record.Assignment{{Field: "file_name", Value: record.Text(name)}})
	return &wire.Answer{Status: http.StatusNoContent}, err
}

// remove deletes a file and its pieces.
func (a *api) remove(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Write)
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Status: http.StatusNoContent}, Remove(r.Context(), a.deps.DB, r.Session.Actor(), f.ID())
}

// upload takes a file that is the whole body.
func (a *api) upload(r *wire.Request) (*wire.Answer, error) {
	in := kept.File{Table: r.Param("table_name"), ID: r.Param("table_sys_id"), Name: r.Param("file_name"), Type: r.Header.Get("Content-Type"), Encryption: r.Param("encryption_context")}
	return a.keep(r, in, r.Request.Body, r.ContentLength)
}

// uploadForm takes a file that is the last part of a form; the parts before it say where it belongs.
func (a *api) uploadForm(r *wire.Request) (*wire.Answer, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, &wire.Error{Status: http.StatusUnsupportedMediaType, Message: "Media type not supported", Detail: "Content-Type may be multipart/form-data"}
	}
	in := kept.File{Table: r.Param("table_name"), ID: r.Param("table_sys_id")}
	parts := multipart.NewReader(r.Request.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, wire.Unreadable("the form has no file, or ends too early: %v", err)
		}
		if part.FileName() != "" {
			in.Name, in.Type = part.FileName(), part.Header.Get("Content-Type")
			return a.keep(r, in, part, -1)
		}
		text, err := readShort(part)
		if err != nil {
			return nil, err
		}
		switch part.FormName() {
		case "table_name":
			in.Table = text
		case "table_sys_id":
			in.ID = text
		}
	}
}

// keep stores a file and answers with what is known of it then.
func (a *api) keep(r *wire.Request, in kept.File, body io.Reader, length int64) (*wire.Answer, error) {
	in.Name = baseName(in.Name)
	for name, v := range map[string]string{"table_name": in.Table, "table_sys_id": in.ID, "file_name": in.Name} {
		if v == "" {
			return nil, missing(name)
		}
	}
	if in.Type == "" {
		in.Type = mime.TypeByExtension(path.Ext(in.Name))
	}
	if err := a.may(r, in.Table, in.ID, record.Write); err != nil {
		return nil, err
	}
	f, err := a.keeper.Put(r.Context(), kept.Apart(r.Context(), a.deps.DB, r.Session.Trusted()), in, &arriving{from: body, said: length})
	if err != nil {
		return nil, err
	}
	return &wire.Answer{Status: http.StatusCreated, Header: http.Header{"Location": {link(r, f.ID())}}, Result: a.meta(r, f)}, nil
}

func missing(name string) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Message: "Missing or empty " + name}
}

// baseName is the name of a file without the folders that some clients send.
func baseName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, name)
}

func link(r *wire.Request, id string) string { return r.API() + "/attachment/" + id + "/file" }

// metaFields are the members of what is told of a file that are fields of its record.
var metaFields = []string{"sys_id", "table_name", "table_sys_id", "file_name", "content_type", "size_bytes", "size_compressed", "compressed",
	"chunk_size_bytes", "hash", "state", "image_height", "image_width", "average_image_color", "encryption_context", "sys_created_on",
	"sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count", "sys_tags"}

// meta is what is told of a file: texts, all of them.
func (a *api) meta(r *wire.Request, f *record.Record) map[string]string {
	out := map[string]string{"download_link": link(r, f.ID())}
	for _, name := range metaFields {
		out[name] = f.Get(name).Text
	}
	out["created_by_name"], out["updated_by_name"] = out["sys_created_by"], out["sys_updated_by"]
	return out
}

// oneLine writes what is told of a file as it goes into a header: on one line, in ASCII.
func oneLine(meta map[string]string) string {
	text, err := json.Marshal(meta)
	if err != nil {
		return "{}"
	}
	var b strings.Builder
	for _, c := range string(text) {
		switch {
		case c < 0x80:
			b.WriteRune(c)
		case c < 0x10000:
			b.WriteString(escaped(c))
		default:
			c -= 0x10000
			b.WriteString(escaped(0xd800+c>>10) + escaped(0xdc00+c&0x3ff))
		}
	}
	return b.String()
}

func escaped(c rune) string {
	hex := strconv.FormatInt(int64(c), 16)
	return `\u` + strings.Repeat("0", 4-len(hex)) + hex
}
