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
	"unicode/utf8"
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

// strictRecords looks at the whole body first: what comes behind may then take it for valid.
func strictRecords(data []byte) ([]Object, error) {
	data = bytes.TrimLeft(data, blank)
	if !json.Valid(data) {
		return nil, invalid(data)
	}
	switch data[0] {
	case '{':
		return single(data)
	case '[':
		return list(data)
	}
	return nil, errors.New("the body is no JSON object")
}

// blank is what may stand between the tokens of JSON.
const blank = " \t\r\n"

// invalid says what is wrong with a body.
func invalid(data []byte) error {
	in := json.NewDecoder(bytes.NewReader(data))
	var value json.RawMessage
	switch err := in.Decode(&value); err {
	case nil:
		return fmt.Errorf("text behind the JSON value, at byte %d", in.InputOffset())
	case io.EOF, io.ErrUnexpectedEOF:
		return fmt.Errorf("the JSON ends too early, at byte %d", len(data))
	default:
		return err
	}
}

// single reads one object; one whose only member is a list of objects stands for the list.
func single(data []byte) ([]Object, error) {
	o, err := object(data)
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

func list(data []byte) ([]Object, error) {
	var records []Object
	for entry, rest := next(data[1:]); entry != nil; entry, rest = next(rest) {
		if entry[0] != '{' {
			return nil, fmt.Errorf("entry %d of the list is no object", len(records)+1)
		}
		o, err := object(entry)
		if err != nil {
			return nil, err
		}
		records = append(records, o)
	}
	return records, nil
}

// object reads the members of an object.
func object(data []byte) (Object, error) {
	o := Object{}
	for name, rest := next(data[1:]); name != nil; name, rest = next(rest) {
		var value []byte
		value, rest = next(rest)
		var p Pair
		var err error
		if p.Name, _, err = scalar(name); err == nil {
			p.Value, p.Nested, err = scalar(value)
		}
		if err != nil {
			return nil, err
		}
		o = append(o, p)
	}
	return o, nil
}

// next cuts the next value off the inside of a valid object or list; nil at its end. In an object, names and values take
// turns.
func next(data []byte) (value, rest []byte) {
	data = bytes.TrimLeft(data, blank+",:")
	end := extent(data)
	if end == 0 {
		return nil, nil
	}
	return data[:end], data[end:]
}

// extent is how many bytes the valid value has that data begins with; 0 where what it is inside of ends.
func extent(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += inString(data[i+1:]) + 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(data)
}

// inString is how many bytes a valid string has whose quote is read, up to the one that ends it.
func inString(data []byte) int {
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(data)
}

// scalar reads a value as the text of a field.
func scalar(raw []byte) (text string, nested bool, err error) {
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
			return string(raw[1 : len(raw)-1]), false, nil
		}
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
