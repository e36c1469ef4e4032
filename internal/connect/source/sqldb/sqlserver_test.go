package sqldb_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/connect/source/sourcetest/tds"
	"headrace/internal/core/fault"
)

// sqlServer is a double: see its package for what that shows.
func sqlServer(t *testing.T) (*server, *tds.Server) {
	t.Helper()
	d := tds.Start(t, secret.User, secret.Password, "src")
	return &server{kind: "sqlserver", addr: d.Addr, admin: d.DB, url: func(addr string) string { return "sqlserver://" + addr + "/src?tls=disable" }}, d
}

func TestSQLServerKeepsTheLaws(t *testing.T) {
	s, _ := sqlServer(t)
	const columns = "(id bigint PRIMARY KEY, name TEXT nvarchar(50), amount TEXT decimal(12,2), at TEXT datetime2)"
	s.exec(t, "CREATE TABLE law "+columns, "CREATE TABLE law_empty "+columns,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO law SELECT i, 'name ' || i, i || '.25', '2026-01-01 00:00:00' FROM n")
	sourcetest.Rows(t, s.place("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "+
		"SELECT i AS id, substr(printf('%01001d', 0), 2) AS filler FROM n"))
}

func TestSQLServerValuesKeepTheirExactText(t *testing.T) {
	s, _ := sqlServer(t)
	h := readsAs(t, s, nil, []value{
		{"bigint", "-9223372036854775808", "-9223372036854775808"}, {"int", "7", "7"}, {"smallint", "-3", "-3"}, {"tinyint", "255", "255"},
		{"TEXT decimal(38,9)", "'12345678901234567890123456789.123456000'", "12345678901234567890123456789.123456000"},
		{"TEXT decimal(5,2)", "'-1.50'", "-1.50"}, {"TEXT money", "'-922337203685477.5808'", "-922337203685477.5808"},
		{"bit", "1", "true"}, {"bit", "0", "false"}, {"float", "0.1", "0.1"}, {"real", "0.1", "0.1"}, {"float", "1e20", "100000000000000000000"},
		{"TEXT nvarchar(50)", "'Grüße € 😀'", "Grüße € 😀"}, {"TEXT nvarcharmax", "'as long as it likes'", "as long as it likes"}, {"TEXT nvarcharmax", "''", ""},
		{"TEXT date", "'2026-02-28'", "2026-02-28"}, {"TEXT date", "'0001-01-01'", "0001-01-01"}, {"TEXT time", "'07:08:09.1234567'", "07:08:09.1234567"},
		{"TEXT datetime", "'2026-02-28 23:59:59.120'", "2026-02-28 23:59:59.12"}, {"TEXT datetime2", "'2026-02-28 23:59:59.1234567'", "2026-02-28 23:59:59.1234567"},
		{"TEXT datetimeoffset", "'2026-07-01 12:00:00.5+02:00'", "2026-07-01 10:00:00.5"},
		{"TEXT uniqueidentifier", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"TEXT varbinary(9)", "X'00ff10'", "AP8Q"},
	})
	notes(t, h, "bytes")
}

func TestSQLServerSaysWhatIsWrong(t *testing.T) {
	s, d := sqlServer(t)
	d.Hidden = "hidden"
	s.exec(t, "CREATE TABLE orders (id int PRIMARY KEY, label TEXT nvarchar(20), changed TEXT datetime)", "CREATE TABLE hidden (id int)")
	for _, c := range []struct {
		options format.Options
		kind    fault.Kind
		words   []string
	}{
		{format.Options{"table": "dbo.orderz"}, fault.NotFound, []string{"orderz", `did you mean "dbo.orders"`}},
		{format.Options{"table": "hidden"}, fault.Denied, []string{"hidden", "GRANT SELECT"}},
		{format.Options{"table": "orders", "watermark": "chanced"}, fault.Invalid, []string{`did you mean "changed"`}},
		{format.Options{"table": "orders", "watermark": "changed"}, fault.Invalid, []string{"no time zone", "option zone"}},
		{format.Options{"table": "orders", "tls": "require"}, fault.Denied, []string{"does not speak TLS"}},
		{format.Options{"query": "SELECT 1 FRM x y z"}, fault.Invalid, []string{"refuses the query"}},
	} {
		says(t, s.open(t, c.options).Test(t.Context()), c.kind, c.words...)
	}
	o := format.Options{"table": "orders"}
	says(t, open(t, "sqlserver://"+s.addr+"/nowhere?tls=disable", o, secret).Test(t.Context()), fault.NotFound, "nowhere")
}

func TestSQLServerIsAskedForWhatIsNewInTheColumnsOwnType(t *testing.T) {
	s, d := sqlServer(t)
	s.exec(t, "CREATE TABLE marked (id int PRIMARY KEY, changed TEXT datetime)",
		"INSERT INTO marked VALUES (1, '2026-01-01 10:00:00.003'), (2, '2026-01-01 10:10:00.007'), (3, NULL)")
	var asked []string
	d.Asked = func(q string) { asked = append(asked, q) }
	r := s.open(t, format.Options{"table": "marked", "watermark": "changed", "zone": "UTC"})
	lines, _, high, err := sourcetest.Read(t.Context(), r, "2026-01-01 10:10:00.007")
	if err != nil || strings.Join(lines, " ") != "3|<null> 2|2026-01-01 10:10:00.007" || high != "2026-01-01 10:10:00.007" {
		t.Errorf("%q up to %q: %v", lines, high, err)
	}
	want := "SELECT [id], [changed] FROM [marked] WHERE ([changed] >= CONVERT(datetime, '2026-01-01T10:05:00.007', 126) OR [changed] IS NULL) ORDER BY [changed], [id]"
	if asked[len(asked)-1] != want {
		t.Errorf("asked %q", asked[len(asked)-1])
	}
}

func TestSQLServerIsToldWhenNobodyListensAnyMore(t *testing.T) {
	s, d := sqlServer(t)
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, substr(printf('%01001d', 0), 2) AS filler FROM n"
	for range s.open(t, format.Options{"query": endless}).Read(t.Context(), "").Rows {
		break
	}
	deadline := time.Now().Add(time.Minute)
	for d.Open() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the query goes on")
		}
		runtime.Gosched()
	}
}
