package record

// View gives a table of this catalog that stands in no store: its records are made of what others keep when they are
// asked for. Like Bare tables it is written by nobody.
func (c *Catalog) View(t Table) *Table {
	t.catalog, t.Bare, t.Physical = c, true, t.Name
	t.byName = make(map[string]int, len(t.Fields))
	for i := range t.Fields {
		t.byName[t.Fields[i].Name] = i
	}
	return &t
}
