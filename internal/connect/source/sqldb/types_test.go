package sqldb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source/sourcetest"
)

// value is one column of a table of types: its declaration, what is written, and what must be read.
type value struct{ declared, written, want string }

const null = "<null>"

// readsAs puts each value into a column of its own, with a row of nulls after, and reads the table.
func readsAs(t *testing.T, s *server, o format.Options, values []value) *format.Header {
	t.Helper()
	columns, written, want, nulls := []string{"n int"}, []string{"1"}, []string{"1"}, []string{"2"}
	for i, v := range values {
		columns = append(columns, fmt.Sprintf("c%d %s", i, v.declared))
		written, want, nulls = append(written, v.written), append(want, v.want), append(nulls, null)
	}
	s.table(t, "types", "CREATE TABLE types ("+strings.Join(columns, ", ")+")", "INSERT INTO types VALUES ("+strings.Join(written, ", ")+")",
		"INSERT INTO types (n) VALUES (2)")
	options := format.Options{"table": "types", "order": "n"}
	for name, value := range o {
		options[name] = value
	}
	lines, header, _, err := sourcetest.Read(t.Context(), s.open(t, options), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 {
		t.Fatalf("%d rows", len(lines))
	}
	got := strings.Split(lines[0], "|")
	for i, v := range values {
		if got[i+1] != v.want {
			t.Errorf("%s %s is read as %q, want %q", v.declared, v.written, got[i+1], v.want)
		}
	}
	if lines[1] != strings.Join(nulls, "|") {
		t.Errorf("nulls are read as %q", lines[1])
	}
	return header
}

func notes(t *testing.T, h *format.Header, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.ContainsFunc(h.Notes, func(n string) bool { return strings.Contains(n, w) }) {
			t.Errorf("no note says %q: %q", w, h.Notes)
		}
	}
}

func TestPostgreSQLValuesKeepTheirExactText(t *testing.T) {
	s := postgresServer
	s.exec(t, "CREATE TYPE mood AS ENUM ('glad', 'so so')", "CREATE TYPE pair AS (a int, b text)", "CREATE DOMAIN short AS varchar(9)")
	t.Cleanup(func() { s.exec(t, "DROP TYPE mood", "DROP TYPE pair", "DROP DOMAIN short") })
	h := readsAs(t, s, nil, []value{
		{"bigint", "9223372036854775807", "9223372036854775807"},
		{"numeric", "12345678901234567890123456789.123456789000", "12345678901234567890123456789.123456789000"},
		{"numeric", "'NaN'", "NaN"},
		{"float8", "0.1", "0.1"}, {"float4", "16777216", "16777216"}, {"float8", "1e20", "100000000000000000000"}, {"float8", "'-Infinity'", "-Infinity"},
		{"money", "1234.5", "1234.50"},
		{"boolean", "true", "true"}, {"boolean", "false", "false"},
		{"text", `E'tab\t line\n back\\\\ \\N Grüße €'`, "tab\t line\n back\\\\ \\N Grüße €"}, {"text", "''", ""}, {"text", `'\N'`, `\N`},
		{"char(5)", "'ab'", "ab   "}, {"short", "'dom'", "dom"},
		{"date", "'2026-02-28'", "2026-02-28"}, {"date", "'infinity'", "infinity"}, {"date", "'0044-03-15 BC'", "0044-03-15 BC"},
		{"timestamp", "'2026-02-28 23:59:59.120'", "2026-02-28 23:59:59.12"},
		{"timestamptz", "'2026-07-01 12:00:00.000001+02'", "2026-07-01 10:00:00.000001"}, {"timestamptz", "'-infinity'", "-infinity"},
		{"time", "'07:08:09'", "07:08:09"}, {"interval", "'1 day 2 hours'", "1 day 02:00:00"},
		{"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"json", `'{"a": 1.0}'`, `{"a": 1.0}`}, {"jsonb", `'{"b":  [true,null]}'`, `{"b": [true, null]}`},
		{"bytea", `'\x00ff10'`, "AP8Q"},
		{"int[]", "'{1,2,NULL}'", "[1,2,null]"}, {"text[]", `'{"a b","c\"d"}'`, `["a b","c\"d"]`}, {"numeric[]", "'{1.10,2}'", "[1.10,2]"},
		{"mood", "'so so'", "so so"}, {"pair", "'(1,x)'", `{"a":1,"b":"x"}`}, {"inet", "'10.0.0.1/8'", "10.0.0.1/8"},
		{"int4range", "'[1,5)'", "[1,5)"}, {"xml", "'<a/>'", "<a/>"}, {"bit(3)", "B'101'", "101"},
	})
	notes(t, h, "bytes")
}

func TestTimesWithoutAZoneAreReadAsUTCWhenTheirZoneIsKnown(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer, sqliteServer(t)} {
		t.Run(s.kind, func(t *testing.T) {
			stamp := map[string]string{"postgres": "timestamp", "mysql": "datetime(6)", "sqlite": "datetime"}[s.kind]
			readsAs(t, s, format.Options{"zone": "Europe/Berlin"}, []value{
				{stamp, "'2026-07-01 12:00:00.5'", "2026-07-01 10:00:00.5"},
				{stamp, "'2026-10-25 02:30:00'", "2026-10-25 00:30:00"}, // comes twice: the first
				{stamp, "'2026-03-29 02:30:00'", "2026-03-29 01:30:00"}, // is left out: as if the clocks had not been put forward
				{"date", "'2026-07-01'", "2026-07-01"},
			})
		})
	}
}

func TestMariaDBValuesKeepTheirExactText(t *testing.T) {
	s := mariaServer
	s.exec(t, "SET GLOBAL sql_mode = ''")
	s.admin.SetMaxIdleConns(0) // so that new connections have the new mode
	t.Cleanup(func() { s.exec(t, "SET GLOBAL sql_mode = DEFAULT"); s.admin.SetMaxIdleConns(2) })
	h := readsAs(t, s, nil, []value{
		{"bigint", "-9223372036854775808", "-9223372036854775808"}, {"bigint unsigned", "18446744073709551615", "18446744073709551615"},
		{"decimal(38,9)", "12345678901234567890123456789.123456000", "12345678901234567890123456789.123456000"},
		{"double", "0.1", "0.1"}, {"float", "16777216", "16777216"}, {"double", "1e20", "100000000000000000000"},
		{"tinyint(1)", "1", "true"}, {"tinyint(1)", "0", "false"}, {"tinyint(1)", "7", "7"}, {"tinyint", "1", "1"}, {"bit(1)", "b'1'", "true"},
		{"bit(12)", "b'100000000001'", "2049"}, {"year", "2026", "2026"},
		{"varchar(60)", `'tab\t back\\ \\N Grüße €'`, "tab\t back\\ \\N Grüße €"}, {"text", "''", ""}, {"varchar(9) character set latin1", "'ä'", "ä"},
		{"date", "'2026-02-28'", "2026-02-28"}, {"date", "'0000-00-00'", null}, {"datetime", "'0000-00-00 00:00:00'", null}, {"datetime", "'2026-02-00 00:00:00'", "2026-02-00 00:00:00"},
		{"datetime(3)", "'2026-02-28 23:59:59.120'", "2026-02-28 23:59:59.12"}, {"datetime", "'2026-02-28 00:00:00'", "2026-02-28 00:00:00"},
		{"timestamp null", "FROM_UNIXTIME(1782900000)", "2026-07-01 10:00:00"}, {"time(2)", "'-12:30:00.50'", "-12:30:00.5"},
		{"json", `'{"a": 1.0}'`, `{"a": 1.0}`}, {"varbinary(9)", "X'00ff10'", "AP8Q"}, {"blob", "X'ff'", "/w=="},
		{"enum('a','b c')", "'b c'", "b c"}, {"set('x','y')", "'x,y'", "x,y"}, {"uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"inet6", "'::1'", "::1"},
	})
	notes(t, h, "bytes", "all zeros")
}

func TestSQLiteValuesKeepTheirExactText(t *testing.T) {
	h := readsAs(t, sqliteServer(t), nil, []value{
		{"bigint", "9223372036854775807", "9223372036854775807"}, {"decimal(10,2)", "'1.50'", "1.5"}, {"text", "'1.50'", "1.50"},
		{"real", "0.1", "0.1"}, {"real", "1e20", "100000000000000000000"}, {"boolean", "1", "true"}, {"boolean", "0", "false"}, {"boolean", "'maybe'", "maybe"},
		{"datetime", "'2026-02-28 23:59:59.120'", "2026-02-28 23:59:59.12"}, {"datetime", "1782900000", "1782900000"}, {"datetime", "'yesterday'", "yesterday"},
		{"date", "'2026-02-28'", "2026-02-28"}, {"blob", "X'00ff10'", "AP8Q"}, {"text", "'Grüße €'", "Grüße €"}, {"", "1.25", "1.25"},
	})
	notes(t, h, "bytes")
}

func TestATableWithoutAPrimaryKeySaysThatItsOrderMayChange(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer, sqliteServer(t)} {
		s.table(t, "keyless", "CREATE TABLE keyless (a int)", "INSERT INTO keyless VALUES (1)")
		_, header, _, err := sourcetest.Read(t.Context(), s.open(t, format.Options{"table": "keyless"}), "")
		if err != nil {
			t.Fatal(err)
		}
		notes(t, header, "no primary key")
	}
}

func TestNamesOfAnyKindAreRead(t *testing.T) {
	for _, s := range []*server{postgresServer, mariaServer, sqliteServer(t)} {
		q := map[string]string{"postgres": `"`, "mysql": "`", "sqlite": `"`}[s.kind]
		table, column := q+`odd. na'me\`+q, q+`select; -- ?'\`+q
		s.table(t, table, "CREATE TABLE "+table+" ("+column+" int PRIMARY KEY)", "INSERT INTO "+table+" VALUES (2), (1)")
		lines, header, high, err := sourcetest.Read(t.Context(), s.open(t, format.Options{"table": table, "watermark": `select; -- ?'\`}), "1")
		if err != nil || strings.Join(lines, " ") != "1 2" || high != "2" || header.Columns[0] != `select; -- ?'\` {
			t.Errorf("%s: %q up to %q, %v: %v", s.kind, lines, high, header, err)
		}
	}
}
