package table

import (
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// user is who a caller is.
type user struct {
	ID      string `json:"user_sys_id"`
	Name    string `json:"user_name"`
	Display string `json:"user_display_name"`
	Avatar  string `json:"user_avatar"`
}

// currentUser answers GET /ui/user/current_user.
func (a *api) currentUser(r *wire.Request) (*wire.Answer, error) {
	who := r.Identity
	return &wire.Answer{Result: user{ID: who.UserID, Name: who.UserName, Display: who.DisplayName}}, nil
}

// impersonation answers GET /sg/impersonation/session: nobody acts as another here.
func (a *api) impersonation(*wire.Request) (*wire.Answer, error) { return nil, missing() }

// entryOf is a table or field in a list to pick from.
type entryOf struct {
	Label     string `json:"label"`
	Value     string `json:"value"`
	Type      string `json:"type,omitempty"`
	Reference string `json:"reference,omitempty"`
	Display   bool   `json:"display,omitempty"` // it stands for the record; not told by the platform
}

// tables answers GET /doc/table/schema: the tables there are.
func (a *api) tables(r *wire.Request) (*wire.Answer, error) {
	catalog := a.deps.DB.Catalog()
	list := []entryOf{}
	for _, name := range catalog.Names() {
		if t := catalog.Table(name); !t.Bare {
			list = append(list, entryOf{Label: t.Title(), Value: name})
		}
	}
	return &wire.Answer{Result: list}, nil
}

// fields answers GET /doc/table/schema/{table}: the fields of a table.
func (a *api) fields(r *wire.Request) (*wire.Answer, error) {
	t, err := r.Table(r.Params["table"])
	if err != nil {
		return nil, err
	}
	list := []entryOf{}
	for i := range t.Fields {
		f := &t.Fields[i]
		list = append(list, entryOf{Label: f.Label, Value: f.Name, Type: string(f.Type), Reference: f.Reference, Display: f == t.DisplayField()})
	}
	return &wire.Answer{Result: list}, nil
}

// about describes a field as forms need it.
type about struct {
	Name      string       `json:"name"`
	Label     string       `json:"label"`
	Type      string       `json:"type"`
	Internal  string       `json:"internal_type"`
	Mandatory bool         `json:"mandatory"`
	ReadOnly  bool         `json:"read_only"`
	MaxLength int          `json:"max_length"`
	Reference string       `json:"reference,omitempty"`
	Hint      string       `json:"hint,omitempty"`
	Default   string       `json:"default,omitempty"`
	Choices   []choiceItem `json:"choices,omitempty"`
}

type choiceItem struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// meta answers GET /ui/meta/{table}: the columns of a table.
func (a *api) meta(r *wire.Request) (*wire.Answer, error) {
	t, err := r.Table(r.Params["table"])
	if err != nil {
		return nil, err
	}
	columns := map[string]about{}
	for i := range t.Fields {
		columns[t.Fields[i].Name] = describe(&t.Fields[i])
	}
	return &wire.Answer{Result: map[string]any{"columns": columns}}, nil
}

func describe(f *record.Field) about {
	out := about{Name: f.Name, Label: f.Label, Type: string(f.Type), Internal: string(f.Type), Mandatory: f.Mandatory,
		ReadOnly: f.ReadOnly || record.IsSystemField(f.Name), MaxLength: f.Length, Reference: f.Reference, Hint: f.Help, Default: f.Default}
	if len(f.Choices) > 0 {
		out.Type = string(record.Choice)
	}
	for _, c := range f.Choices {
		out.Choices = append(out.Choices, choiceItem{Label: c.Label, Value: c.Value})
	}
	return out
}
