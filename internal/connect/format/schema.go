package format

import (
	"fmt"
	"slices"
	"strings"
)

// Schema grows a Header while columns appear. The zero Schema has no columns; Dialect must be set before Header is called.
type Schema struct {
	Dialect Options
	columns []string
	notes   []string
	taken   map[string]bool
	current *Header
}

// Add makes a column and returns its index. It is called by the first of the names that is free; when none is, the last
// name gets a number, and when the name is empty it is made up; both are noted.
func (s *Schema) Add(names ...string) int {
	if s.taken == nil {
		s.taken = map[string]bool{}
	}
	name := ""
	for _, n := range names {
		if name = strings.TrimSpace(strings.ToValidUTF8(n, "\uFFFD")); name != "" && !s.taken[name] {
			return s.add(name)
		}
	}
	if name == "" {
		name = fmt.Sprintf("column_%d", len(s.columns)+1)
		s.Note("a column without a name is called %s", name)
	}
	unique := name
	for i := 2; s.taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	if unique != name {
		s.Note("a second column %s is called %s", name, unique)
	}
	return s.add(unique)
}

func (s *Schema) add(name string) int {
	s.taken[name] = true
	s.columns = append(s.columns, name)
	s.current = nil
	return len(s.columns) - 1
}

// Note tells the user something about the source.
func (s *Schema) Note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
	s.current = nil
}

// Columns are the names so far; the caller must not change them.
func (s *Schema) Columns() []string { return s.columns }

// Header gives the header of the columns known now; it is the same one until something is added.
func (s *Schema) Header() *Header {
	if s.current == nil {
		s.current = &Header{Columns: slices.Clone(s.columns), Notes: slices.Clone(s.notes), Dialect: s.Dialect}
	}
	return s.current
}
