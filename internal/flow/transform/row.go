package transform

import (
	"context"
	"strings"
	"unicode/utf8"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Reject says why a row cannot be transformed: a stable code, where, and what was there.
type Reject struct {
	Code   string `json:"-"`
	Column string `json:"column,omitempty"` // of the source
	Field  string `json:"field,omitempty"`  // of the target
	Value  string `json:"value,omitempty"`
	Msg    string `json:"msg"`
	Hint   string `json:"hint,omitempty"`
	Raw    string `json:"-"` // the reject as it is kept, when it is only passed on
}

// Keep is the value of a field that a row leaves alone: the record keeps what it has, a new one gets the default.
var Keep = record.Value{Text: "\x00keep"}

// IsKeep tells Keep from null and from any text.
func IsKeep(v record.Value) bool { return !v.Valid && v.Text != "" }

// KeyFields transforms the coalesce fields of a row into out, which has a place for each of m.Fields. References must have been
// prepared. sound says that the cells are known to hold neither NUL nor anything but UTF-8. It returns why the row has no
// readable key, or nil.
func (m *Map) KeyFields(cells, out []record.Value, sound bool) *Reject {
	for _, i := range m.Key {
		if r := m.field(i, cells, out, sound); r != nil {
			return r
		}
	}
	return nil
}

// RestFields transforms the other fields. now, when given, is what the record has: a text that the record holds already needs no
// reading. sound is that of KeyFields.
func (m *Map) RestFields(cells, out, now []record.Value, sound bool) *Reject {
	for _, i := range m.rest {
		e := &m.entries[i]
		if now != nil && e.same && e.source < len(cells) {
			if text := cells[e.source].Text; text != "" && text == now[i].Text && text != m.clearText {
				out[i] = now[i]
				continue
			}
		}
		if r := m.field(i, cells, out, sound); r != nil {
			return r
		}
	}
	return nil
}

func (m *Map) field(i int, cells, out []record.Value, sound bool) *Reject {
	e := &m.entries[i]
	if r := m.raw(i, e, cells, out); r != nil || sound && e.source >= 0 && e.script == nil {
		return r
	}
	return m.clean(i, out[i])
}

// raw transforms a field, whatever bytes come of it.
func (m *Map) raw(i int, e *entry, cells, out []record.Value) *Reject {
	text := e.constant.Text
	switch {
	case e.free:
		out[i] = Keep
		return nil
	case e.script != nil:
		var r *Reject
		if text, r = m.answer(e, cells); r != nil {
			return r
		}
	case e.source >= 0:
		text = ""
		if e.source < len(cells) {
			text = cells[e.source].Text
		}
	}
	switch {
	case text == "":
		out[i] = m.emptyValue(i)
	case text == m.clearText && (e.source >= 0 || e.script != nil):
		out[i] = record.Null
	case e.plain || e.source < 0 && e.script == nil && e.refs == nil:
		out[i] = record.Value{Text: text, Valid: true}
	default:
		return m.value(e, text, &out[i])
	}
	return nil
}

// emptyValue is what an empty cell means: leave the field alone, or empty it where the map copies empty fields. In a
// coalesce field it is part of the key.
func (m *Map) emptyValue(i int) record.Value {
	if m.Def.CopyEmptyFields || m.entries[i].key {
		return record.Null
	}
	return Keep
}

func (m *Map) value(e *entry, text string, out *record.Value) *Reject {
	switch {
	case e.refs != nil:
		return m.reference(e, text, out)
	case e.field.Chosen():
		return m.choice(e, text, out)
	}
	canonical, err := e.convert(text)
	if err == nil {
		*out = record.Value{Text: canonical, Valid: canonical != ""}
		return nil
	}
	if m.strict { // the platform leaves the field empty and goes on
		*out = record.Null
		return nil
	}
	return m.unreadable(e, text, err)
}

func (m *Map) unreadable(e *entry, text string, err error) *Reject {
	r := &Reject{Code: "value_invalid", Column: e.column, Field: e.field.Name, Value: record.Clip(text), Msg: err.Error()}
	if ve, ok := err.(*record.ValueError); ok {
		r.Code = ve.Code
	}
	if r.Code == "date_unparsable" {
		if fits := GuessDateFormat([]string{text}); len(fits) > 0 {
			r.Hint = "add dateFormat: " + strings.Join(fits, " or ")
		}
	}
	return r
}

// choice takes a stored value or a label.
func (m *Map) choice(e *entry, text string, out *record.Value) *Reject {
	if e.field.HasChoice(text) {
		*out = record.Text(text)
		return nil
	}
	folded := query.Fold(text)
	for _, o := range e.field.Choices {
		if query.Fold(o.Label) == folded || query.Fold(o.Value) == folded {
			*out = record.Text(o.Value)
			return nil
		}
	}
	switch e.action {
	case "ignore":
		*out = Keep
	case "create":
		if keep, reject := m.mayCreate(OnChoiceCreate, e, text); keep || reject != nil {
			*out = Keep
			return reject
		}
		*out = record.Text(text)
	default:
		return &Reject{Code: "choice_rejected", Column: e.column, Field: e.field.Name, Value: record.Clip(text),
			Msg: "is not one of the choices", Hint: "add the choice, or choiceAction: ignore or create"}
	}
	return nil
}

// Check looks at the finished values of a row, the record's own where the row kept them, and says which mandatory
// field would end empty.
func (m *Map) Check(values []record.Value) *Reject {
	for _, i := range m.mandatory {
		if v := values[i]; !v.Valid || v.Text == "" {
			return &Reject{Code: "mandatory_missing", Column: m.entries[i].column, Field: m.Fields[i], Msg: "is mandatory and would be empty"}
		}
	}
	if len(m.unfilled) > 0 {
		return &Reject{Code: "mandatory_missing", Field: m.unfilled[0], Msg: "is mandatory and the map does not fill it"}
	}
	return nil
}

// KeyState says what a row's key is good for.
type KeyState uint8

// The states of a key.
const (
	KeyFull    KeyState = iota // look the record up by it
	KeyInsert                  // empty, and the map says to insert then
	KeyEmpty                   // empty, or partly so: the row is skipped
	KeyPartial                 // partly empty, and the mode leaves the empty parts out of the match
)

// KeyOf appends the parts of the row's key, folded where compared case-blind, to dst, and says what the key is good for.
// Parts that are empty and may be are null.
func (m *Map) KeyOf(values, dst []record.Value) ([]record.Value, KeyState) {
	empty, allowed := 0, 0
	for n, k := range m.Key {
		v := values[k]
		if v.Text == newRecord && m.Fields[k] == record.SysID {
			return append(dst, v), KeyInsert
		}
		if v.Empty() || IsKeep(v) {
			empty++
			if m.entries[k].keyEmpty {
				allowed++
			}
			dst = append(dst, record.Null)
			continue
		}
		if m.Fold[n] {
			v.Text = query.Fold(v.Text)
		}
		dst = append(dst, v)
	}
	switch {
	case empty == 0, empty == allowed, empty == len(m.Key) && allowed > 0:
		return dst, KeyFull
	case empty == len(m.Key) && m.Def.CreateOnEmptyCoalesce:
		return dst, KeyInsert
	case empty < len(m.Key) && m.strict:
		return dst, KeyPartial
	}
	return dst, KeyEmpty
}

// newRecord is what a script that finds a sys_id answers when there is none.
const newRecord = "-1"

// IDKey is the place among Fields of the sys_id, where a script finds it: the whole key. -1 where the key is another.
func (m *Map) IDKey() int {
	for _, k := range m.Key {
		if m.Fields[k] == record.SysID {
			return k
		}
	}
	return -1
}

// EmptyKey describes a row that is skipped for its key.
func (m *Map) EmptyKey(values []record.Value) *Reject {
	for _, k := range m.Key {
		if v := values[k]; v.Empty() || IsKeep(v) {
			return &Reject{Code: "key_empty", Column: m.entries[k].column, Field: m.Fields[k], Msg: "is part of the key and empty",
				Hint: "coalesceEmptyFields matches empty keys, createOnEmptyCoalesce inserts such rows"}
		}
	}
	return &Reject{Code: "key_empty", Msg: "the key is empty"}
}

// KeyText shows a key to people: serial_number "SN-0417".
func (m *Map) KeyText(values []record.Value) string {
	parts := make([]string, len(m.Key))
	for i, k := range m.Key {
		parts[i] = m.Fields[k] + ` "` + record.Clip(values[k].Text) + `"`
	}
	return strings.Join(parts, ", ")
}

// Column names the source column that feeds the field at a position of Fields; "" for a constant.
func (m *Map) Column(i int) string { return m.entries[i].column }

// clean refuses what no database can keep: NUL characters and bytes that are not UTF-8.
func (m *Map) clean(i int, v record.Value) *Reject {
	if !v.Valid || plainASCII(v.Text) || utf8.ValidString(v.Text) && strings.IndexByte(v.Text, 0) < 0 {
		return nil
	}
	return &Reject{Code: "invalid_character", Column: m.entries[i].column, Field: m.Fields[i],
		Value: record.Clip(strings.ToValidUTF8(v.Text, "\uFFFD")), Msg: "holds a NUL character or bytes that are not UTF-8"}
}

// plainASCII reports whether a text is ASCII without NUL, looking at eight bytes as one number: no high bit, and none that a
// subtraction of one would set.
func plainASCII(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		v := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (v|(v-ones))&highs != 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Finder answers the look-ups of a map in the tables it refers to.
type Finder interface {
	// Find gives, for each text that some record of t has in field (compared folded when fold is set), the ids of those
	// records, oldest first, at most two.
	Find(ctx context.Context, t *record.Table, field string, fold bool, texts []string) (map[string][]string, error)
}
