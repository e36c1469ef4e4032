package glide

import (
	"slices"

	"headrace/internal/core/record"
)

// tableInfo tells helpers in JavaScript about a table: where it stands in its hierarchy, and its fields.
func (l *lib) tableInfo(name string) any {
	catalog := l.cfg.DB.Catalog()
	t := catalog.Table(name)
	info := map[string]any{"exists": t != nil, "base": name}
	var ancestors, children, fields []string
	for at := t; at != nil; at = catalog.Table(at.Extends) {
		ancestors = append(ancestors, at.Name)
		info["base"] = at.Name
	}
	if t != nil {
		fields = t.Names()
		for _, other := range catalog.Names() {
			if catalog.Table(other).Extends == name {
				children = append(children, other)
			}
		}
	}
	classes := classesOf(t, name)
	info["ancestors"], info["children"], info["fields"] = l.listOf(ancestors), l.listOf(children), l.listOf(fields)
	info["classes"] = l.listOf(classes)
	info["hierarchy"] = l.listOf(append(slices.Clone(ancestors), slices.DeleteFunc(classes, func(c string) bool { return c == name })...))
	return info
}

// classesOf lists a table and all that extend it.
func classesOf(t *record.Table, name string) []string {
	if t == nil || len(t.Classes) == 0 {
		return []string{name}
	}
	return slices.Clone(t.Classes)
}
