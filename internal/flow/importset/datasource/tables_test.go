package datasource_test

import "headrace/internal/core/record"

// eventTables are what alerts are told through, as far as they write to it. The package of events stands above this one.
func eventTables() []record.Table {
	text := func(name string) record.Field { return record.Field{Name: name, Type: record.String} }
	return []record.Table{
		{Name: "sysevent", Fields: []record.Field{text("name"), text("table"), text("instance"), text("parm1"), text("parm2")}},
		{Name: "sysevent_register", Fields: []record.Field{text("event_name"), text("table"), text("fired_by"), text("description")}},
	}
}
