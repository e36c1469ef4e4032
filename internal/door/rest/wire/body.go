package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// Pair is a member of a body's object. Numbers and booleans are texts, null is "". Nested members hold an object or a
// list; their Value is its JSON (in XML: the text around it).
type Pair struct {
	Name, Value string
	Nested      bool
}

// Object is one record of a body, its members in their order.
type Object []Pair

// Get finds a member by name.
func (o Object) Get(name string) (string, bool) {
	for _, p := range o {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Body reads the record in the body: JSON or XML, the first one of several. A member that holds an object or a list is
// an error: fields hold texts.
func (r *Request) Body() (Object, error) {
	records, err := r.Records()
	if err != nil || len(records) == 0 {
		return nil, err
	}
	for _, p := range records[0] {
		if p.Nested {
			return nil, Unreadable("the value of %q is an object or a list; a field takes text, a number, a boolean or null", p.Name)
		}
	}
	return records[0], nil
}

// Records reads all records in the body: one object, a list of objects, or an object whose only member is a list of
// them. An empty body has none.
func (r *Request) Records() ([]Object, error) {
	kind, err := r.bodyKind()
	if err != nil {
		return nil, err
	}
	data, err := r.Bytes()
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil, err
	}
	var records []Object
	if kind == "xml" {
		records, err = xmlRecords(data)
	} else {
		records, err = jsonRecords(data)
	}
	return records, unreadable(err)
}

// Objects reads a list of objects, or one: the value of a nested member.
func Objects(text string) ([]Object, error) {
	records, err := jsonRecords([]byte(text))
	return records, unreadable(err)
}

// unreadable says a parser's error in the platform's words.
func unreadable(err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	return Unreadable("%s", err)
}

// bodyKind is "json" or "xml", by the Content-Type; none is JSON.
func (r *Request) bodyKind() (string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "json", nil
	}
	kind, _, err := mime.ParseMediaType(header)
	switch {
	case err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")):
		return "json", nil
	case err == nil && (kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml")):
		return "xml", nil
	case r.ContentLength == 0:
		return "json", nil
	}
	return "", &Error{Status: http.StatusUnsupportedMediaType, Message: "Media type not supported", Detail: "Content-Type may be application/json or application/xml"}
}

// Bytes reads the body up to the limit; a longer one is the platform's error.
func (r *Request) Bytes() ([]byte, error) {
	most := r.deps.MaxBody
	if most == 0 {
		most = DefaultMaxBody
	}
	if r.ContentLength > most {
		return nil, tooLarge(r.ContentLength, most)
	}
	data, err := io.ReadAll(io.LimitReader(r.Request.Body, most+1))
	if int64(len(data)) > most {
		return nil, tooLarge(int64(len(data)), most)
	}
	return data, unreadable(err)
}

func tooLarge(n, most int64) *Error {
	return Unreadable("Rejected large REST payload with content-length = %d bytes. Max allowed: %d bytes.", n, most)
}

// jsonRecords gives the records of a body. Samples in the platform's documentation have single quotes; they are
// tolerated.
func jsonRecords(data []byte) ([]Object, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	records, err := strictRecords(data)
	if err != nil && bytes.IndexByte(data, '\'') >= 0 {
		if tolerated, err2 := strictRecords(doubleQuoted(data)); err2 == nil {
			return tolerated, nil
		}
	}
	return records, err
}

func strictRecords(data []byte) ([]Object, error) {
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	token, err := in.Token()
	if err != nil {
		return nil, broken(in, err)
	}
	var records []Object
	switch token {
	case json.Delim('{'):
		records, err = single(in)
	case json.Delim('['):
		records, err = list(in)
	default:
		err = errors.New("the body is no JSON object")
	}
	if err != nil {
		return nil, broken(in, err)
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, fmt.Errorf("text behind the JSON value, at byte %d", in.InputOffset())
	}
	return records, nil
}

func broken(in *json.Decoder, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the JSON ends too early, at byte %d", in.InputOffset())
	}
	return err
}

// single reads one object; one whose only member is a list of objects stands for the list.
func single(in *json.Decoder) ([]Object, error) {
	o, err := object(in)
	if err != nil {
		return nil, err
	}
	if len(o) == 1 && o[0].Nested && strings.HasPrefix(o[0].Value, "[{") {
		if records, err := strictRecords([]byte(o[0].Value)); err == nil {
			return records, nil
		}
	}
	return []Object{o}, nil
}

func list(in *json.Decoder) ([]Object, error) {
	var records []Object
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return nil, err
		}
		if token != json.Delim('{') {
			return nil, fmt.Errorf("entry %d of the list is no object", len(records)+1)
		}
		o, err := object(in)
		if err != nil {
			return nil, err
		}
		records = append(records, o)
	}
	_, err := in.Token()
	return records, err
}

// object reads the members of an object whose brace is read.
func object(in *json.Decoder) (Object, error) {
	o := Object{}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := in.Decode(&raw); err != nil {
			return nil, err
		}
		p := Pair{Name: name.(string)} // the decoder has checked that names are strings
		if p.Value, p.Nested, err = scalar(raw); err != nil {
			return nil, err
		}
		o = append(o, p)
	}
	_, err := in.Token()
	return o, err
}

// scalar reads a value as the text of a field.
func scalar(raw json.RawMessage) (text string, nested bool, err error) {
	switch raw[0] {
	case '"':
		err = json.Unmarshal(raw, &text)
		return text, false, err
	case '{', '[':
		var b bytes.Buffer
		err = json.Compact(&b, raw)
		return b.String(), true, err
	case 'n':
		return "", false, nil
	}
	return string(raw), false, nil // a number or a boolean
}

// doubleQuoted rewrites strings in single quotes as JSON writes them.
func doubleQuoted(data []byte) []byte {
	out := make([]byte, 0, len(data)+16)
	quote := byte(0) // the one that is open
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
			out = append(out, '"')
		case quote != 0 && c == quote:
			quote = 0
			out = append(out, '"')
		case quote == '\'' && c == '"':
			out = append(out, '\\', '"')
		case quote != 0 && c == '\\' && i+1 < len(data):
			i++
			if data[i] != '\'' {
				out = append(out, '\\')
			}
			out = append(out, data[i])
		default:
			out = append(out, c)
		}
	}
	return out
}
