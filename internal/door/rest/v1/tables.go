package v1

import (
	"encoding/json"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// tableItem is a table in a list.
type tableItem struct {
	Name    string `json:"name"`
	Label   string `json:"label"`
	Fields  int    `json:"fields"`
	Records int64  `json:"records"`
}

// tableBody is a table as it is described, or asked for.
type tableBody struct {
	Name       string         `json:"name"`
	Label      string         `json:"label,omitempty"`
	Extends    string         `json:"extends,omitempty"`
	Extendable bool           `json:"extendable,omitempty"`
	Fields     []record.Field `json:"fields"`
	Indexes    []record.Index `json:"indexes,omitempty"`
}

func (a *API) tableOperations() []*operation {
	item := fields("TableItem", req("name", record.String, ""), req("label", record.String, ""), req("fields", record.Integer, "How many."),
		req("records", record.Integer, "How many the caller may read."))
	return []*operation{
		{id: "listTables", method: "GET", path: "/tables", summary: "The tables, with their number of records", roles: importers,
			params:  []record.Field{param("all", record.Boolean, "With the product's own tables.")},
			answers: []outcome{{status: 200, doc: "The tables, by name.", schema: fields("Tables").with(must("items", listOf(item)))}}, do: a.listTables},
		{id: "getTable", method: "GET", path: "/tables/{table}", summary: "The fields and indexes of a table", roles: importers,
			params:  []record.Field{req("table", record.String, "The name of the table.")},
			answers: []outcome{{status: 200, doc: "The table.", schema: tableSchema()}}, do: a.getTable},
		{id: "createTable", method: "POST", path: "/tables", summary: "Make a table, or add fields and indexes to it", roles: admins,
			doc:  "Nothing is ever taken away. With dry_run nothing is done; the answer has the statements that would be run.",
			body: tableSchema(), params: []record.Field{param("dry_run", record.Boolean, "Show the statements only.")},
			answers: []outcome{{status: 200, doc: "The table was there; what was missing is added.", schema: madeSchema()},
				{status: 201, doc: "The table is made.", schema: madeSchema()}}, do: a.createTable},
	}
}

func madeSchema() *schema {
	return fields("TableMade", req("dry_run", record.Boolean, "")).with(must("table", tableSchema()), must("statements", listOf(text())))
}

func (a *API) listTables(c *call) (*reply, error) {
	items, session := []tableItem{}, a.DB.As(c.who.Actor)
	for _, name := range a.DB.Catalog().Names() {
		if a.DB.Own(name) && !c.flag("all") {
			continue
		}
		t := a.DB.Catalog().Table(name)
		n, err := session.Count(c.Context(), t, nil)
		if err != nil && fault.KindOf(err) != fault.Denied {
			return nil, err
		}
		items = append(items, tableItem{name, t.Title(), len(t.Fields), n})
	}
	return &reply{body: map[string]any{"items": items}}, nil
}

func describedTable(t *record.Table) tableBody {
	return tableBody{Name: t.Name, Label: t.Label, Extends: t.Extends, Extendable: t.Extendable, Fields: t.Fields, Indexes: t.Indexes}
}

func (a *API) getTable(c *call) (*reply, error) {
	t, err := a.DB.Table(c.text("table"))
	if err != nil {
		return nil, err
	}
	return &reply{body: describedTable(t)}, nil
}

func (a *API) createTable(c *call) (*reply, error) {
	var t tableBody
	text, err := json.Marshal(c.body)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the table cannot be read")
	}
	if a.DB.Own(t.Name) {
		return nil, fault.New(fault.Refused, "table %s is the product's own", t.Name)
	}
	before, dry := a.DB.Catalog().Table(t.Name), c.flag("dry_run")
	steps, err := a.DB.Define(c.Context(), c.actor(), dry, record.Table{Name: t.Name, Label: t.Label, Extends: t.Extends, Extendable: t.Extendable, Fields: t.Fields, Indexes: t.Indexes})
	if err != nil {
		return nil, err
	}
	if steps == nil {
		steps = []string{}
	}
	if made := a.DB.Catalog().Table(t.Name); made != nil {
		t = describedTable(made)
	}
	out := &reply{status: 200, body: map[string]any{"table": t, "statements": steps, "dry_run": dry}}
	if before == nil && !dry {
		out.status, out.header = 201, located("%s/tables/%s", Prefix, t.Name)
	}
	return out, nil
}
