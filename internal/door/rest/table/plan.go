package table

import (
	"slices"
	"strings"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// mode is what is told of a field: what is stored, what people see, or both.
type mode uint8

const (
	storedOnly mode = iota
	shownOnly
	both
)

// column is one field of an answer.
type column struct {
	path  string
	key   []byte        // the path as the name of a JSON member
	field *record.Field // what the path leads to
	at    int           // index in the rows read; -1 for a constant
	fixed string        // the value of a constant
}

// plan is how records of a table are answered.
type plan struct {
	table    *record.Table
	columns  []column
	selected []string // what to read
	id       int      // index of sys_id in the rows read; -1 on tables without
	mode     mode
	links    bool   // references tell where their record is
	api      string // base of links
	zone     *time.Location
	server   wire.Deps
}

func newPlan(r *wire.Request, t *record.Table, d wire.Deps) *plan {
	p := &plan{table: t, mode: readMode(r), links: !r.Flag("sysparm_exclude_reference_link"), api: r.API(), zone: r.Identity.Zone, id: -1, server: d}
	if p.zone == nil {
		p.zone = time.UTC
	}
	if names := r.Param("sysparm_fields"); names != "" {
		p.choose(names)
	} else {
		p.all()
	}
	if t.Field(record.SysID) != nil {
		if p.id = slices.Index(p.selected, record.SysID); p.id < 0 {
			p.id = len(p.selected)
			p.selected = append(p.selected, record.SysID)
		}
	}
	return p
}

func readMode(r *wire.Request) mode {
	switch strings.ToLower(r.Param("sysparm_display_value")) {
	case "true":
		return shownOnly
	case "all":
		return both
	}
	return storedOnly
}

// all takes every field of the table, and those that the platform has on every table.
func (p *plan) all() {
	for i := range p.table.Fields {
		p.add(p.table.Fields[i].Name)
	}
	if !p.table.Bare {
		for _, c := range constants {
			p.constant(c)
		}
	}
}

// choose takes the fields named; names that lead nowhere are dropped, as the platform does.
func (p *plan) choose(names string) {
	seen := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if seen[name] {
			continue
		}
		seen[name] = true
		p.add(name)
		if i := slices.IndexFunc(constants, func(c fixedField) bool { return c.field.Name == name }); i >= 0 && !p.table.Bare {
			p.constant(constants[i])
		}
	}
}

func (p *plan) add(path string) {
	steps := p.table.Path(path)
	if steps == nil {
		return
	}
	p.columns = append(p.columns, column{path: path, key: jsonKey(path), field: steps[len(steps)-1], at: len(p.selected)})
	p.selected = append(p.selected, path)
}

// fixedField is a field that clients expect on every table and that has one value here.
type fixedField struct {
	field record.Field
	value string
}

// constants: there is one domain, the global one, and no tags.
var constants = []fixedField{
	{record.Field{Name: "sys_tags", Type: record.String}, ""},
	{record.Field{Name: "sys_domain", Type: record.Reference, Reference: "sys_user_group"}, "global"},
	{record.Field{Name: "sys_domain_path", Type: record.String}, "/"},
}

func (p *plan) constant(c fixedField) {
	if p.table.Field(c.field.Name) == nil {
		p.columns = append(p.columns, column{path: c.field.Name, key: jsonKey(c.field.Name), field: &c.field, at: -1, fixed: c.value})
	}
}

func jsonKey(name string) []byte { return append(wire.AppendString(nil, name), ':') }
