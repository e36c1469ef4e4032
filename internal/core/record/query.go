package record

import "headrace/internal/core/query"

// Dictionary makes Table a query.Tables: it finds another table of its catalog.
func (t *Table) Dictionary(table string) query.Dictionary {
	if other := t.catalog.Table(table); other != nil {
		return other
	}
	return nil
}

// Subclasses makes Table a query.Classes.
func (t *Table) Subclasses(class string) []string {
	other := t.catalog.Table(class)
	if other == nil {
		return nil
	}
	if other.Classes == nil {
		return []string{class}
	}
	return other.Classes
}
