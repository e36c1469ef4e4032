package glide

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/attachment"
)

// attachments is GlideSysAttachment: files at records, as text, base64 or streams.
type attachments struct{}

type attachmentMethod = func(l *lib, _ *attachments, a arguments) any

var attachmentClass = &class[attachments]{name: "GlideSysAttachment", construct: func(*lib, arguments) *attachments { return &attachments{} },
	static: map[string]func(*lib, arguments) any{"copy": func(l *lib, a arguments) any { return copyFiles(l, nil, a) }},
	methods: map[string]attachmentMethod{
		"write": func(l *lib, _ *attachments, a arguments) any {
			return l.writeFile(a.value(0), a.text(1), a.text(2), l.bytesOf(a.value(3)))
		},
		"writeBase64": writeBase64,
		"writeContentStream": func(l *lib, _ *attachments, a arguments) any {
			return l.writeFile(a.value(0), a.text(1), a.text(2), l.bytesOf(a.value(3)))
		},
		"getContent":       func(l *lib, _ *attachments, a arguments) any { return textOf(l.fileOf(a.value(0))) },
		"getContentBase64": contentBase64,
		"getContentStream": contentStream,
		"getBytes":         func(l *lib, _ *attachments, a arguments) any { return l.stream(l.readFile(l.fileAt(a))) },
		"getAttachments": func(l *lib, _ *attachments, a arguments) any {
			return l.call("record", "attachmentsOf", a.value(0), a.value(1))
		},
		"copy":             copyFiles,
		"deleteAttachment": func(l *lib, _ *attachments, a arguments) any { l.removeFile(a.text(0)); return goja.Undefined() },
		"deleteAll":        deleteAll,
	}}

// content is a file's bytes on their way between two calls of a script.
type content struct{ bytes []byte }

// mostContent is the most bytes of a file that scripts take into memory: the platform's default.
const mostContent = 5 << 20

// recordAt gives the table and id of the record that a script means: by a GlideRecord.
func (l *lib) recordAt(v goja.Value) (table, id string) {
	gr, ok := l.s.RecordOf(v)
	if !ok || gr.Current() == nil {
		l.throw(fault.New(fault.Invalid, "a file belongs to a record: give a GlideRecord that stands on one"))
	}
	return gr.Table().Name, gr.Current().ID()
}

// bytesOf is what a script gives to be written: a stream of getContentStream, or text.
func (l *lib) bytesOf(v goja.Value) []byte {
	if c, ok := valueIn[content](l, v); ok {
		return c.bytes
	}
	return []byte(l.text(v))
}

// writeFile keeps a file and gives its sys_id; null when a rule refuses it.
func (l *lib) writeFile(at goja.Value, name, kind string, body []byte) any {
	table, id := l.recordAt(at)
	made, err := l.keeper().Put(l.s.Context(), l.s, attachment.File{Table: table, ID: id, Name: name, Type: kind}, bytes.NewReader(body))
	switch {
	case fault.KindOf(err) == fault.Refused: // by a rule: null, as of any insert
		l.log("error", "file "+name+": "+err.Error(), "")
		return nil
	case err != nil:
		l.throw(err)
	}
	return made.ID()
}

func (l *lib) keeper() *attachment.Files { return attachment.New(l.cfg.DB) }

// writeBase64 gives null for what is no base64.
func writeBase64(l *lib, _ *attachments, a arguments) any {
	body, err := decode64(a.text(3))
	if err != nil {
		return nil
	}
	return l.writeFile(a.value(0), a.text(1), a.text(2), body)
}

// fileOf reads the file that a GlideRecord of sys_attachment stands on.
func (l *lib) fileOf(v goja.Value) []byte {
	_, id := l.recordAt(v)
	return l.readFile(l.fileNamed(id))
}

// fileNamed finds a file by sys_id; nil when there is none.
func (l *lib) fileNamed(id string) *record.Record { return l.find(attachment.Table, record.SysID, id) }

// fileAt finds the file of a name at a record: getBytes(gr, name).
func (l *lib) fileAt(a arguments) *record.Record {
	table, id := l.recordAt(a.value(0))
	for _, f := range l.filesAt(table, id) {
		if !a.given(1) || strings.EqualFold(f.Get("file_name").Text, a.text(1)) {
			return f
		}
	}
	return nil
}

// filesAt lists the files at a record, the oldest first.
func (l *lib) filesAt(table, id string) []*record.Record {
	t := l.cfg.DB.Catalog().Table(attachment.Table)
	if t == nil {
		return nil
	}
	equal := func(field, value string) query.Node {
		return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
	}
	q := &record.Query{Table: t, Fields: t.Names(), OrderBy: []query.Order{{Field: record.SysCreatedOn}, {Field: record.SysID}},
		Where: &query.And{Parts: []query.Node{equal("table_name", table), equal("table_sys_id", id), equal("state", attachment.Available)}}}
	var found []*record.Record
	err := l.s.Read(func(tx record.Tx) error {
		for row, err := range tx.Select(l.s.Context(), q) {
			if err != nil {
				return err
			}
			found = append(found, &record.Record{Table: t, Values: append([]record.Value(nil), row...)})
		}
		return nil
	})
	if err != nil {
		l.throw(err)
	}
	return found
}

// readFile takes a file into memory; nothing of none.
func (l *lib) readFile(f *record.Record) []byte {
	if f == nil {
		return nil
	}
	size, err := strconv.ParseInt(f.Get("size_bytes").Text, 10, 64)
	if err == nil && size > mostContent {
		err = fault.New(fault.Limit, "file %q has %d bytes; scripts read at most %d", f.Get("file_name").Text, size, mostContent)
	}
	var b bytes.Buffer
	if err == nil {
		err = l.keeper().Send(l.s.Context(), l.s, &b, f, 0, size)
	}
	if err != nil {
		l.throw(err)
	}
	return b.Bytes()
}

// textOf is a file as text; what is not UTF-8 is replaced.
func textOf(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

func contentBase64(l *lib, _ *attachments, a arguments) any {
	return base64.StdEncoding.EncodeToString(l.fileOf(a.value(0)))
}

func contentStream(l *lib, _ *attachments, a arguments) any {
	f := l.fileNamed(a.text(0))
	if f == nil {
		return nil
	}
	return l.stream(l.readFile(f))
}

// stream makes a script's object of bytes; as text it is the text of them.
func (l *lib) stream(b []byte) *goja.Object {
	o := l.vm.NewObject()
	l.hold(o, &content{b})
	l.hide(o, "toString", l.vm.ToValue(func(goja.FunctionCall) goja.Value { return l.vm.ToValue(textOf(b)) }))
	return o
}

// copyFiles copies the files of one record to another and gives the pairs "old,new" of their ids.
func copyFiles(l *lib, _ *attachments, a arguments) any {
	var pairs []string
	for _, f := range l.filesAt(a.text(0), a.text(1)) {
		to := attachment.File{Table: a.text(2), ID: a.text(3), Name: f.Get("file_name").Text, Type: f.Get("content_type").Text}
		made, err := l.keeper().Put(l.s.Context(), l.s, to, bytes.NewReader(l.readFile(f)))
		if err != nil {
			l.throw(err)
		}
		pairs = append(pairs, f.ID()+","+made.ID())
	}
	return l.listOf(pairs)
}

func (l *lib) removeFile(id string) {
	if l.fileNamed(id) == nil {
		return
	}
	if err := l.s.Write(func(w *record.Writer) error { return attachment.Remove(l.s.Context(), l.cfg.DB, w, id) }); err != nil {
		l.throw(err)
	}
}

func deleteAll(l *lib, _ *attachments, a arguments) any {
	table, id := l.recordAt(a.value(0))
	for _, f := range l.filesAt(table, id) {
		l.removeFile(f.ID())
	}
	return goja.Undefined()
}
