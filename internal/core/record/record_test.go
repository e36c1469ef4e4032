package record_test

import (
	"errors"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

func TestCanonicalForms(t *testing.T) {
	for _, c := range []struct {
		t        record.Type
		in, want string // "!" and a code for what is refused
	}{
		{record.Integer, "007", "7"}, {record.Integer, "+5", "5"}, {record.Integer, "-0", "0"}, {record.Integer, " 42 ", "42"},
		{record.Integer, "9223372036854775807", "9223372036854775807"}, {record.Integer, "9223372036854775808", "!number_unparsable"}, {record.Integer, "1.0", "!number_unparsable"},
		{record.Decimal, "1.50", "1.5"}, {record.Decimal, ".5", "0.5"}, {record.Decimal, "-0.0", "0"}, {record.Decimal, "1e3", "1000"}, {record.Decimal, "12.5E-2", "0.125"},
		{record.Decimal, "1,5", "!number_unparsable"}, {record.Decimal, "", ""}, {record.Decimal, "--1", "!number_unparsable"}, {record.Decimal, strings.Repeat("9", 39), "!number_unparsable"},
		{record.Boolean, "Yes", "true"}, {record.Boolean, "0", "false"}, {record.Boolean, "2", "!boolean_unparsable"},
		{record.Date, "2024-02-29", "2024-02-29"}, {record.Date, "2023-02-29", "!date_unparsable"}, {record.Date, "2024-01-02T03:04:05Z", "2024-01-02"}, {record.Date, "0000-01-01", "!date_unparsable"},
		{record.DateTime, "2024-01-02 03:04:05", "2024-01-02 03:04:05"}, {record.DateTime, "2024-01-02T03:04:05.9+02:00", "2024-01-02 01:04:05"}, {record.DateTime, "2024-01-02", "2024-01-02 00:00:00"},
		{record.DateTime, "2024-01-02 25:00:00", "!date_unparsable"},
		{record.IP, "2001:DB8::1", "2001:db8::1"}, {record.IP, "1.2.3.256", "!value_invalid"}, {record.Email, "a@b", "a@b"}, {record.Email, "a b@c", "!value_invalid"},
		{record.URL, "https://x/y z", "!value_invalid"}, {record.JSON, `{ "a" : 1 }`, `{"a":1}`}, {record.JSON, "{", "!value_invalid"},
	} {
		f := record.Field{Type: c.t}
		got, err := f.Canonical(c.in)
		var bad *record.ValueError
		if errors.As(err, &bad) {
			got = "!" + bad.Code
		}
		if got != c.want {
			t.Errorf("%s %q is %q, want %q", c.t, c.in, got, c.want)
		}
		if err == nil {
			if again, err := f.Canonical(got); err != nil || again != got {
				t.Errorf("%s: the canonical %q becomes %q (%v)", c.t, got, again, err)
			}
		}
	}
	short := record.Field{Type: record.String, Length: 3}
	if _, err := short.Canonical("äöü"); err != nil {
		t.Errorf("length counts characters: %v", err)
	}
	if _, err := short.Canonical("abcd"); err == nil {
		t.Error("four characters fit into three")
	}
}

func TestIDsAscend(t *testing.T) {
	last := ""
	for range 10_000 {
		id := record.NewID()
		if len(id) != 32 || id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
	if got := record.IDFrom("map", "a"); got != "3a26498c6a8f2fd4c61ba53acaa690c7" || got == record.IDFrom("ma", "pa") {
		t.Errorf("the id of map a is %s: derived ids must stay the same for ever, and tell kind from name", got)
	}
}

func TestHierarchySharesOneTable(t *testing.T) {
	c, err := record.NewCatalog(
		record.Table{Name: "ci", Fields: []record.Field{{Name: "name", Type: record.String}}},
		record.Table{Name: "server", Extends: "ci", Fields: []record.Field{{Name: "cpu", Type: record.Integer}, {Name: "size", Type: record.Integer}}},
		record.Table{Name: "disk", Extends: "ci", Fields: []record.Field{{Name: "size", Type: record.Integer}, {Name: "cpu", Type: record.String}}})
	if err != nil {
		t.Fatal(err)
	}
	server, disk := c.Table("server"), c.Table("disk")
	if server.Physical != "ci" || disk.Physical != "ci" || server.Field("name").Column != "name" || server.Field(record.SysClassName) == nil {
		t.Errorf("server %+v", server)
	}
	if server.Field("size").Column != disk.Field("size").Column {
		t.Error("sibling fields of one name and type share a column")
	}
	if server.Field("cpu").Column == disk.Field("cpu").Column {
		t.Error("sibling fields of one name and different types must not share a column")
	}
	if got := strings.Join(c.Table("ci").Classes, " "); got != "ci disk server" {
		t.Errorf("classes of ci: %s", got)
	}
}

func TestCatalogRefusesWhatCannotBe(t *testing.T) {
	field := func(name string, typ record.Type) []record.Field { return []record.Field{{Name: name, Type: typ}} }
	for _, c := range []struct {
		tables []record.Table
		want   string
	}{
		{[]record.Table{{Name: "Bad Name"}}, "not usable"},
		{[]record.Table{{Name: "a", Fields: field("b", "color")}}, "unknown type"},
		{[]record.Table{{Name: "a", Extends: "b"}}, "does not exist"},
		{[]record.Table{{Name: "a", Extends: "b"}, {Name: "b", Extends: "a"}}, "extends itself"},
		{[]record.Table{{Name: "a", Fields: field("x", record.String)}, {Name: "a", Fields: field("x", record.Integer)}}, "cannot become"},
		{[]record.Table{{Name: "a", Fields: field("x", record.String)}, {Name: "b", Extends: "a", Fields: field("x", record.Integer)}}, "where it is inherited from"},
	} {
		_, err := record.NewCatalog(c.tables...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.tables, err, c.want)
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.Conflict {
			t.Errorf("%v is of kind %v", err, k)
		}
	}
}

func TestPathsFollowReferences(t *testing.T) {
	c, err := record.NewCatalog(
		record.Table{Name: "person", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "boss", Type: record.Reference, Reference: "person"}}})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Table("person")
	if got := p.Path("boss.boss.name"); len(got) != 3 || got[2].Name != "name" {
		t.Errorf("path %v", got)
	}
	for _, bad := range []string{"boss.nobody", "name.boss", "", "boss."} {
		if p.Path(bad) != nil {
			t.Errorf("%q leads somewhere", bad)
		}
	}
}
