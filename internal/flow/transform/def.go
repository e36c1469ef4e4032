// Package transform is the transform map: rows of a source in, values of a target table out. It touches no database
// itself; a Finder answers its look-ups.
package transform

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

// Def is a transform map as it is written, with the property names of the platform's own code form. Pointers tell
// "not said" from false.
type Def struct {
	Name                   string   `yaml:"name,omitempty" json:"name,omitempty"`
	Mode                   string   `yaml:"mode,omitempty" json:"mode,omitempty"` // "safe" (default) or "strict"
	Active                 *bool    `yaml:"active,omitempty" json:"active,omitempty"`
	Order                  int      `yaml:"order,omitempty" json:"order,omitempty"`
	SourceTable            string   `yaml:"sourceTable,omitempty" json:"sourceTable,omitempty"`
	TargetTable            string   `yaml:"targetTable" json:"targetTable"`
	RunBusinessRules       *bool    `yaml:"runBusinessRules,omitempty" json:"runBusinessRules,omitempty"`
	EnforceMandatoryFields string   `yaml:"enforceMandatoryFields,omitempty" json:"enforceMandatoryFields,omitempty"`
	CopyEmptyFields        bool     `yaml:"copyEmptyFields,omitempty" json:"copyEmptyFields,omitempty"`
	CreateOnEmptyCoalesce  bool     `yaml:"createOnEmptyCoalesce,omitempty" json:"createOnEmptyCoalesce,omitempty"`
	OnDuplicate            string   `yaml:"onDuplicate,omitempty" json:"onDuplicate,omitempty"` // skip, apply, reject
	OnAmbiguous            string   `yaml:"onAmbiguous,omitempty" json:"onAmbiguous,omitempty"` // reject, first
	Zone                   string   `yaml:"zone,omitempty" json:"zone,omitempty"`               // IANA zone of date-times without one
	ClearValue             string   `yaml:"clearValue,omitempty" json:"clearValue,omitempty"`   // text that empties the target field
	Fields                 Fields   `yaml:"fields" json:"fields"`
	Scripts                []Script `yaml:"scripts,omitempty" json:"scripts,omitempty"`
}

// Script is a transform script. The engine that runs them is bound by the composition root; without one, a map that
// has scripts is refused.
type Script struct {
	When   string `yaml:"when" json:"when"`
	Order  int    `yaml:"order,omitempty" json:"order,omitempty"`
	Script string `yaml:"script" json:"script"`
}

// FieldDef is a field map: where the value of one target field comes from.
type FieldDef struct {
	Target                string  `yaml:"-" json:"target"`
	SourceField           string  `yaml:"sourceField,omitempty" json:"sourceField,omitempty"`
	Constant              *string `yaml:"constant,omitempty" json:"constant,omitempty"`
	Coalesce              bool    `yaml:"coalesce,omitempty" json:"coalesce,omitempty"`
	CoalesceCaseSensitive bool    `yaml:"coalesceCaseSensitive,omitempty" json:"coalesceCaseSensitive,omitempty"`
	CoalesceEmptyFields   bool    `yaml:"coalesceEmptyFields,omitempty" json:"coalesceEmptyFields,omitempty"`
	ChoiceAction          string  `yaml:"choiceAction,omitempty" json:"choiceAction,omitempty"` // create, ignore, reject
	DateFormat            string  `yaml:"dateFormat,omitempty" json:"dateFormat,omitempty"`     // a pattern such as dd.MM.yyyy
	Zone                  string  `yaml:"zone,omitempty" json:"zone,omitempty"`
	ReferenceValueField   string  `yaml:"referenceValueField,omitempty" json:"referenceValueField,omitempty"`
	UseSourceScript       bool    `yaml:"useSourceScript,omitempty" json:"useSourceScript,omitempty"`
	SourceScript          string  `yaml:"sourceScript,omitempty" json:"sourceScript,omitempty"`
}

// Fields are the field maps in the order in which they are written: target field to source column, or to the
// properties of a FieldDef.
type Fields []FieldDef

// UnmarshalYAML reads both the short form (target: source) and the long one.
func (fs *Fields) UnmarshalYAML(unmarshal func(any) error) error {
	var order yaml.MapSlice
	if err := unmarshal(&order); err != nil {
		return err
	}
	long := map[string]fieldValue{}
	if err := unmarshal(&long); err != nil {
		return err
	}
	for _, item := range order {
		name := fmt.Sprint(item.Key)
		f := FieldDef(long[name])
		f.Target = name
		*fs = append(*fs, f)
	}
	return nil
}

// MarshalYAML writes the short form wherever it says everything.
func (fs Fields) MarshalYAML() (any, error) {
	out := yaml.MapSlice{}
	for _, f := range fs {
		target, short := f.Target, f
		short.Target, short.SourceField = "", ""
		if short == (FieldDef{}) {
			out = append(out, yaml.MapItem{Key: target, Value: f.SourceField})
			continue
		}
		out = append(out, yaml.MapItem{Key: target, Value: f})
	}
	return out, nil
}

type fieldValue FieldDef

func (v *fieldValue) UnmarshalYAML(unmarshal func(any) error) error {
	var source string
	if err := unmarshal(&source); err == nil {
		v.SourceField = source
		return nil
	}
	type plain FieldDef
	return unmarshal((*plain)(v))
}

// document is a file of maps: one map, or several under "maps".
type document struct {
	Def  `yaml:",inline"`
	Maps []Def `yaml:"maps,omitempty"`
}

// ReadFile reads the maps of a YAML file; several maps feed from one source in order.
func ReadFile(path string) ([]Def, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fault.New(fault.Invalid, "no map file %s", path)
		}
		return nil, fault.Wrap(fault.Unavailable, err, "map file %s", path)
	}
	return Parse(path, text)
}

// Parse reads maps from YAML text. name stands for the text in errors, which carry line and column.
func Parse(name string, text []byte) ([]Def, error) {
	var doc document
	if err := yamlfile.Decode(name, text, &doc, properties, yaml.AllowDuplicateMapKey()); err != nil {
		return nil, err
	}
	defs := doc.Maps
	if len(defs) == 0 {
		defs = []Def{doc.Def}
	} else if doc.TargetTable != "" || len(doc.Fields) > 0 {
		return nil, fault.New(fault.Invalid, "%s: has both a map and a list of maps", name).WithHint("put every map under maps:")
	}
	for i := range defs {
		if err := defs[i].check(name, text); err != nil {
			return nil, err
		}
	}
	return defs, nil
}

var properties = []string{"name", "mode", "active", "order", "sourceTable", "targetTable", "runBusinessRules", "enforceMandatoryFields",
	"copyEmptyFields", "createOnEmptyCoalesce", "onDuplicate", "onAmbiguous", "zone", "clearValue", "fields", "scripts", "maps",
	"sourceField", "constant", "coalesce", "coalesceCaseSensitive", "coalesceEmptyFields", "choiceAction", "dateFormat",
	"referenceValueField", "useSourceScript", "sourceScript"}

// allowed lists the values of properties that take one of a few words.
var allowed = map[string][]string{
	"mode":                   {"safe", "strict"},
	"enforceMandatoryFields": {"no", "onlyMappedFields", "allFields"},
	"onDuplicate":            {"skip", "apply", "reject"},
	"onAmbiguous":            {"reject", "first"},
	"choiceAction":           {"create", "ignore", "reject"},
}

// Check holds the map to the words that its properties may have, as Parse does with a written one.
func (d *Def) Check() error { return d.check("map "+d.Title(), nil) }

func (d *Def) check(name string, text []byte) error {
	if d.TargetTable == "" {
		return fault.New(fault.Invalid, "%s: the map names no targetTable", name)
	}
	if len(d.Fields) == 0 {
		return fault.New(fault.Invalid, "%s: the map has no fields", name).WithHint("fields: {target_field: source_column}")
	}
	words := map[string]string{"mode": d.Mode, "enforceMandatoryFields": d.EnforceMandatoryFields, "onDuplicate": d.OnDuplicate, "onAmbiguous": d.OnAmbiguous}
	for property, word := range words {
		if err := checkWord(name, text, property, word); err != nil {
			return err
		}
	}
	for _, f := range d.Fields {
		if err := checkWord(name, text, "choiceAction", f.ChoiceAction); err != nil {
			return err
		}
		if f.SourceField == "" && f.Constant == nil && !f.UseSourceScript {
			return fault.New(fault.Invalid, "%s: field %s has neither sourceField nor constant", yamlfile.Place(name, text, "fields."+f.Target), f.Target)
		}
	}
	return nil
}

func checkWord(name string, text []byte, property, word string) error {
	if word == "" {
		return nil
	}
	for _, w := range allowed[property] {
		if w == word {
			return nil
		}
	}
	f := fault.New(fault.Invalid, "%s: %s cannot be %q", yamlfile.Place(name, text, property), property, word)
	return f.WithHint("one of %s", strings.Join(allowed[property], ", "))
}

// Marshal writes maps as YAML that Parse reads.
func Marshal(defs []Def) ([]byte, error) {
	if len(defs) == 1 {
		return yaml.Marshal(defs[0])
	}
	return yaml.Marshal(struct {
		Maps []Def `yaml:"maps"`
	}{defs})
}
