package sqldb

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// settings is one source, checked.
type settings struct {
	*database
	url      *url.URL   // without the options that stood in its query
	rest     url.Values // what is left of its query
	user     string
	password string
	inside   bool

	table     tableName // or
	query     string
	watermark string
	overlap   string // "" is the default of the watermark's type
	zone      *time.Location
	order     []string
	ordered   bool // order was given

	timeout, connecting, idle time.Duration
	mode                      string // of TLS
	modeGiven                 bool
	ca                        string

	idled *atomic.Bool // the idle time-out is over; of one reading, because drivers do not all pass on why a read ended
}

func (db *database) settings(a source.Address) (*settings, error) {
	o, u, rest, err := db.merged(a)
	if err != nil {
		return nil, err
	}
	s := &settings{database: db, url: u, rest: rest, user: a.Secret.User, password: a.Secret.Password, inside: a.Inside,
		query: trimQuery(o.Text(optQuery, "")), watermark: o.Text(optWatermark, ""), overlap: o.Text(optOverlap, ""),
		mode: o.Text(optTLS, db.defaultTLS), modeGiven: o.Text(optTLS, "") != "", ca: o.Text(optCA, "")}
	if s.user == "" && u.User != nil {
		s.user = u.User.Username()
	}
	if err := s.setWhat(o); err != nil {
		return nil, err
	}
	return s, s.setTimes(o)
}

// merged puts the options that stand in the address beside those that were given, which win.
func (db *database) merged(a source.Address) (format.Options, *url.URL, url.Values, error) {
	o := format.Options{}
	u, rest := *a.URL, url.Values{}
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, nil, fault.New(fault.Invalid, "the address has a query that cannot be read").
			WithHint("write it as ?name=value&name=value, with %%26 for an & inside a value")
	}
	fields := db.options()
	for name, values := range given {
		if slices.ContainsFunc(fields, func(f record.Field) bool { return f.Name == name }) {
			o[name] = values[len(values)-1]
			continue
		}
		rest[name] = values
	}
	maps.Copy(o, a.Options)
	u.RawQuery = ""
	return o, &u, rest, o.Check(fields)
}

func (s *settings) setWhat(o format.Options) error {
	table := o.Text(optTable, "")
	switch {
	case table == "" && s.query == "":
		return fault.New(fault.Invalid, "neither a table nor a query is given").WithHint("name what to read with the option table or query")
	case table != "" && s.query != "":
		return fault.New(fault.Invalid, "both a table and a query are given").WithHint("give one of them")
	case strings.ContainsRune(table+s.query, 0):
		return fault.New(fault.Invalid, "the table or query holds a NUL").WithHint("write it without")
	case table != "":
		t, err := splitTable(table)
		if err != nil {
			return err
		}
		s.table = t
	}
	order := o.Text(optOrder, "")
	s.ordered = order != ""
	if order != "" && order != "none" {
		for name := range strings.SplitSeq(order, ",") {
			s.order = append(s.order, strings.TrimSpace(name))
		}
	}
	return s.setZone(o.Text(optZone, ""))
}

func (s *settings) setZone(name string) error {
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		return fault.New(fault.Invalid, "option zone: %q is no time zone", name).WithHint("use a name such as Europe/Berlin, America/New_York or UTC")
	}
	s.zone = zone
	return nil
}

func (s *settings) setTimes(o format.Options) error {
	for _, t := range []struct {
		name string
		to   *time.Duration
		def  time.Duration
	}{{optTimeout, &s.timeout, 0}, {optConnect, &s.connecting, 15 * time.Second}, {optIdle, &s.idle, 10 * time.Minute}} {
		*t.to = t.def
		text := o.Text(t.name, "")
		if text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d == 0 && t.name != optTimeout {
			return fault.New(fault.Invalid, "option %s: %q is no duration above 0", t.name, text).WithHint("write 90s, 10m or 2h")
		}
		*t.to = d
	}
	return nil
}

// trimQuery takes away what may stand behind a statement but not inside another one.
func trimQuery(q string) string { return strings.TrimRight(q, " \t\r\n;") }

// splitTable takes a name apart at its points; a part in double quotes, backticks or brackets may hold some.
func splitTable(name string) (tableName, error) {
	var parts tableName
	for rest := name; ; {
		part, after, ok := firstPart(rest)
		if !ok || part == "" {
			return nil, fault.New(fault.Invalid, "option table: %q is no name of a table", name).
				WithHint(`write table, schema.table, or "a name with points"."and another"`)
		}
		parts = append(parts, part)
		if after == "" {
			return parts, nil
		}
		rest = after[1:]
	}
}

// firstPart is the name up to the first point, and what follows from that point on.
func firstPart(s string) (part, rest string, ok bool) {
	closing := map[byte]string{'"': `"`, '`': "`", '[': "]"}
	if s == "" {
		return "", "", false
	}
	end, quoted := closing[s[0]]
	if !quoted {
		i := strings.IndexByte(s, '.')
		if i < 0 {
			return s, "", true
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for s = s[1:]; ; {
		before, after, found := strings.Cut(s, end)
		if !found {
			return "", "", false
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, end) {
			return b.String(), after, after == "" || after[0] == '.'
		}
		b.WriteString(end)
		s = after[len(end):]
	}
}

// address is the host and port to dial.
func (s *settings) address() string {
	host, port := s.url.Hostname(), s.url.Port()
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = s.port
	}
	return net.JoinHostPort(host, port)
}

// databaseName is the first part of the address' path.
func (s *settings) databaseName() string { return strings.Trim(s.url.Path, "/") }

// onlyKnown refuses what is left in the address' query.
func (s *settings) onlyKnown(known ...string) error {
	for name := range s.rest {
		if !slices.Contains(known, name) {
			return fault.New(fault.Invalid, "the address has an unknown option %q", name).WithHint("options are %s", s.optionNames())
		}
	}
	return nil
}

func (s *settings) optionNames() string {
	var names []string
	for _, f := range s.options() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// what names what is read, for messages.
func (s *settings) what() string {
	if s.table == nil {
		return "the query"
	}
	return fmt.Sprintf("table %q", strings.Join(s.table, "."))
}
