// Package record is the ground of Headrace: tables, fields and records; what a store must do; and the one way to
// change a record, through a Session. It knows neither SQL nor any door.
package record

import (
	"headrace/internal/core/query"
)

// Type is the type of a field, by the name it has in the dictionary of the field's platform.
type Type string

// The field types.
const (
	String    Type = "string"
	Integer   Type = "integer" // 64 bits
	Decimal   Type = "decimal" // exact, at most 38 digits before and 18 behind the point
	Boolean   Type = "boolean"
	Date      Type = "glide_date"      // 2006-01-02
	DateTime  Type = "glide_date_time" // 2006-01-02 15:04:05, UTC
	Choice    Type = "choice"
	Reference Type = "reference"
	URL       Type = "url"
	Email     Type = "email"
	IP        Type = "ip_addr"
	JSON      Type = "json"
	Secret    Type = "password2"
	Long      Type = "long"           // kept as Integer
	Float     Type = "float"          // kept as Decimal: exact
	Duration  Type = "glide_duration" // the date-time that lies this long after the start of 1970
	List      Type = "glide_list"     // ids, separated by commas
	HTML      Type = "html"
	Script    Type = "script"
	Phone     Type = "phone_number_e164"
	Document  Type = "document_id" // id of a record of a table that another field names
	// What is written to a journal is appended to JournalTable. The record keeps nothing of it and reads null.
	Journal      Type = "journal"
	JournalInput Type = "journal_input"
)

// Types lists the field types in the order in which they are documented.
var Types = []Type{String, Integer, Decimal, Boolean, Date, DateTime, Choice, Reference, URL, Email, IP, JSON, Secret,
	Long, Float, Duration, List, HTML, Script, Phone, Document, Journal, JournalInput}

// Stored is the type that values of t are kept, compared and written as: one of Integer, Decimal, Boolean, Date,
// DateTime, or t itself, which then is text.
func (t Type) Stored() Type {
	switch t {
	case Long:
		return Integer
	case Float:
		return Decimal
	case Duration:
		return DateTime
	}
	return t
}

// IsJournal reports whether what is written is appended to a stream instead of replacing a value.
func (t Type) IsJournal() bool { return t == Journal || t == JournalInput }

// Kind tells how values of the type compare.
func (t Type) Kind() query.Kind {
	switch t.Stored() {
	case Integer, Decimal:
		return query.Number
	case Boolean:
		return query.Bool
	case Date:
		return query.Date
	case DateTime:
		return query.DateTime
	case Reference:
		return query.Reference
	case Secret, Document:
		return query.Exact
	}
	return query.Text
}

// Value is the content of a field: text in the canonical form of the field's type, or null. The zero Value is null.
// Canonical forms: integers without leading zeros; decimals without trailing zeros; true or false; dates and
// date-times as the Type constants show; references as 32 hex digits. Two values of one field are equal if and only
// if their canonical texts are.
type Value struct {
	Text  string
	Valid bool // false means null
}

// Text makes a value that is not null.
func Text(s string) Value { return Value{Text: s, Valid: true} }

// Null is the null value.
var Null Value

// Empty reports whether the value is null or the empty text.
func (v Value) Empty() bool { return v.Text == "" }

// Option is one entry of a choice list.
type Option struct {
	Value string `yaml:"value" json:"value"`
	Label string `yaml:"label" json:"label"`
}

// Field describes anything that has a name and a value: a column of a table, an option of a format, a source or a
// channel. Lint, schemas, documentation and forms are drawn from it.
type Field struct {
	Name      string   `yaml:"name" json:"name"`
	Label     string   `yaml:"label,omitempty" json:"label,omitempty"`
	Type      Type     `yaml:"type" json:"type"`
	Length    int      `yaml:"length,omitempty" json:"length,omitempty"` // most characters; 0 is unbounded
	Mandatory bool     `yaml:"mandatory,omitempty" json:"mandatory,omitempty"`
	ReadOnly  bool     `yaml:"readOnly,omitempty" json:"readOnly,omitempty"`
	Unique    bool     `yaml:"unique,omitempty" json:"unique,omitempty"`
	Display   bool     `yaml:"display,omitempty" json:"display,omitempty"` // the field that stands for the record
	Default   string   `yaml:"default,omitempty" json:"default,omitempty"`
	Choices   []Option `yaml:"choices,omitempty" json:"choices,omitempty"`
	Reference string   `yaml:"reference,omitempty" json:"reference,omitempty"` // the table a reference points to
	Help      string   `yaml:"help,omitempty" json:"help,omitempty"`

	Column  string `yaml:"-" json:"-"` // physical column; set by the Catalog
	Element int    `yaml:"-" json:"-"` // n > 0: element n-1 of the JSON array in Column (staging tables)
}

// Chosen reports whether the field takes its values from its list of choices alone. Text with choices takes others too:
// there they are suggestions, and labels.
func (f *Field) Chosen() bool {
	return len(f.Choices) > 0 && (f.Type == Choice || f.Type.Stored() == Integer)
}

// HasChoice reports whether value is in the field's choice list.
func (f *Field) HasChoice(value string) bool {
	for i := range f.Choices {
		if f.Choices[i].Value == value {
			return true
		}
	}
	return false
}
