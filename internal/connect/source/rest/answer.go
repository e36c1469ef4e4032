package rest

import (
	"bytes"
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// place is where a single value is in an answer: a path as the format writes it, the last step being the value's name,
// or header:NAME. "" is nowhere.
type place string

// answer is what a service answered, with a good status.
type answer struct {
	ctx    context.Context
	plan   *plan
	url    *url.URL
	shown  string // the URL, for people
	header http.Header
	body   []byte
	open   bool                // nothing says where the body ends: it may have been cut
	none   bool                // the status says that there is no body
	mask   func(string) string // takes credentials out of a text
	held   map[string]map[string]record.Value
}

// at looks up a value; ok is false when there is none, or null.
func (a *answer) at(p place) (v string, ok bool) {
	cell, _ := a.cell(p)
	return cell.Text, cell.Valid
}

// cell looks up a value; there tells null from a name that is not there.
func (a *answer) cell(p place) (v record.Value, there bool) {
	if name, found := strings.CutPrefix(string(p), "header:"); found {
		values := a.header.Values(name)
		return record.Value{Text: strings.Join(values, ", "), Valid: len(values) > 0}, len(values) > 0
	}
	if p == "" || a.plan.format.Info().Name == "csv" {
		return record.Value{}, false
	}
	parent, name := split(string(p))
	if a.held[parent] == nil {
		if a.held == nil {
			a.held = map[string]map[string]record.Value{}
		}
		a.held[parent] = a.object(parent)
	}
	v, there = a.held[parent][name]
	return v, there
}

// split parts the path of an object from a name in it.
func split(path string) (parent, name string) {
	if rest, found := strings.CutPrefix(path, "$."); found {
		path = "/" + strings.ReplaceAll(rest, ".", "/")
	}
	i := strings.LastIndexByte(path, '/')
	parent, name = path[:max(i, 0)], path[i+1:]
	if parent == "" {
		parent = "/"
	}
	return parent, strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
}

// object reads the one object at a path, its parts as text; nothing when there is none.
func (a *answer) object(path string) map[string]record.Value {
	o := format.Options{"path": path}
	if a.plan.format.Info().Name == "json" {
		o["expand"] = "false"
	}
	out := map[string]record.Value{}
	for row, err := range a.plan.format.Rows(a.ctx, bytes.NewReader(a.body), o) {
		if err != nil || row.Err != nil {
			break
		}
		for i, c := range row.Cells {
			out[row.Header.Columns[i]] = c
		}
		break
	}
	return out
}

// page is the rows of one answer.
type page struct {
	*answer
	columns []string
	notes   []string
	rows    []line
	found   string // the path of the rows
}

// line is one row of a page.
type line struct {
	cells []record.Value
	err   *format.RowError
}

func (l line) cell(columns []string, name string) record.Value {
	if i := slices.Index(columns, name); i >= 0 && i < len(l.cells) {
		return l.cells[i]
	}
	return record.Value{}
}

// read takes the rows at a path out of an answer; the path is found when it is "".
func (a *answer) read(path string) (*page, error) {
	p := &page{answer: a, found: path}
	lines := path == "/" && a.plan.format.Info().Name == "json" && len(bytes.TrimSpace(a.body)) == 0 && !a.open
	if a.none || lines { // no lines are no rows; of other formats, an answer without bytes is an error
		return p, nil
	}
	o := format.Options{}
	for name, value := range a.plan.reading {
		o[name] = value
	}
	if path != "" {
		o["path"] = path
	}
	for row, err := range a.plan.format.Rows(a.ctx, bytes.NewReader(a.body), o) {
		if err != nil {
			return p, a.unread(p, path, err)
		}
		p.columns, p.notes = row.Header.Columns, row.Header.Notes
		if path == "" && a.plan.format.Info().Name != "csv" {
			p.found = row.Header.Dialect["path"]
		}
		if row.Cells != nil {
			p.rows = append(p.rows, line{cells: slices.Clone(row.Cells), err: row.Err})
		}
	}
	return p, a.settled(p, path)
}

// unread says what is wrong with an answer that the format cannot read. Null in the place of a list is an empty list.
func (a *answer) unread(p *page, path string, err error) error {
	if v, there := a.cell(place(path)); there && !v.Valid && path != "/" {
		*p = page{answer: a, found: path}
		return nil
	}
	switch fault.KindOf(err) {
	case fault.Canceled, fault.Limit:
		return err
	}
	if a.open || strings.Contains(err.Error(), "ends early") || len(bytes.TrimSpace(a.body)) == 0 {
		return &trouble{passing: true, err: fault.Wrap(fault.Unavailable, err, "the answer of %s is not whole", a.shown).WithHint("the connection was cut, or the service gave up: try again")}
	}
	return &trouble{err: fault.Wrap(fault.Invalid, err, "the answer of %s cannot be read", a.shown).WithHint("%s", a.hint(err))}
}

func (a *answer) hint(err error) string {
	if hint := fault.HintOf(err); hint != "" && strings.Contains(err.Error(), "path") {
		return "set the option rows: " + hint
	}
	return "check the option format; the answer begins with " + a.mask(excerpt(a.body))
}

// settled refuses rows whose place was not found for certain.
func (a *answer) settled(p *page, path string) error {
	if path == "" && p.found == "/" && len(p.rows) > 0 && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("[")) && a.plan.format.Info().Name != "csv" {
		return &trouble{err: fault.New(fault.Invalid, "the answer of %s has no list that could be the rows", a.shown).
			WithHint("set the option rows to where they are, or to / when the answer is one row; it has %s", strings.Join(p.columns[:min(len(p.columns), 10)], ", "))}
	}
	if a.open && (a.plan.format.Info().Name == "csv" || a.plan.rows == "/" && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("["))) && a.plan.pages.total == "" && a.header.Get("X-Total-Count") == "" {
		return &trouble{err: fault.New(fault.Unavailable, "nothing says whether the answer of %s is whole: it has neither a length nor chunks, and there is no total", a.shown).
			WithHint("set the option total to where the service tells the number of rows")}
	}
	return nil
}

var (
	htmlBegin = regexp.MustCompile(`(?i)^(\x{FEFF}|\s|<!--.*?-->|<\?xml[^>]*>)*<(!doctype\s+html|html[\s>])`)
	htmlTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
)

// web refuses an HTML page in the place of data: what hibernating instances, proxies and log-in pages answer with 200.
func (a *answer) web() error {
	head := a.body[:min(len(a.body), 64<<10)]
	if !htmlBegin.Match(head) {
		return nil
	}
	title := ""
	if m := htmlTitle.FindSubmatch(head); m != nil {
		title = oneLine(html.UnescapeString(string(m[1])), 100)
	}
	bad := fault.New(fault.Unavailable, "%s answers with a web page (%q) in the place of data", a.shown, title)
	text := strings.ToLower(string(head))
	switch {
	case strings.Contains(text, "hibernat"):
		return &trouble{err: bad.WithHint("the instance hibernates: wake it up in a browser and try again")}
	case strings.Contains(text, "log in"), strings.Contains(text, "login"), strings.Contains(text, "sign in"), strings.Contains(text, "password"):
		bad.Kind = fault.Denied
		return &trouble{err: bad.WithHint("it looks like a log-in page: check the credentials and whether the address is that of the API")}
	}
	return &trouble{err: bad.WithHint("open the address in a browser: it may be a proxy, a maintenance page or not the address of the API")}
}

// excerpt is the beginning of a body on one line.
func excerpt(body []byte) string {
	return `"` + oneLine(string(body[:min(len(body), 400)]), 80) + `"`
}

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(s, "?"))), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
