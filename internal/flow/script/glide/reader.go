package glide

import "bytes"

// textReader is GlideTextReader: a file line by line.
type textReader struct{ rest []byte }

var readerClass = &class[textReader]{name: "GlideTextReader",
	construct: func(l *lib, a arguments) *textReader { return &textReader{l.bytesOf(a.value(0))} },
	methods: map[string]func(*lib, *textReader, arguments) any{
		"readLine":    func(_ *lib, r *textReader, _ arguments) any { return r.line() },
		"getEncoding": func(*lib, *textReader, arguments) any { return "UTF-8" },
	}}

// line is the next line without its end, or nil behind the last.
func (r *textReader) line() any {
	if len(r.rest) == 0 {
		return nil
	}
	end := bytes.IndexAny(r.rest, "\r\n")
	if end < 0 {
		line := textOf(r.rest)
		r.rest = nil
		return line
	}
	line, behind := textOf(r.rest[:end]), r.rest[end:]
	r.rest = behind[1:]
	if bytes.HasPrefix(behind, []byte("\r\n")) {
		r.rest = behind[2:]
	}
	return line
}
