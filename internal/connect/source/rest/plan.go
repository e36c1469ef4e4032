package rest

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// plan is what the options of a source say, checked.
type plan struct {
	method string
	base   *url.URL // without a query
	params []named
	header []named
	body   template
	escape func(string) string

	format  format.Format
	reading format.Options // of the format
	rows    string
	refusal place
	expired []string

	pages  paging
	marks  *marks // nil: no watermark
	detail *detail

	every     time.Duration // between two requests
	attempts  int
	longest   time.Duration // wait that a service may ask for
	timeouts  channel.Timeouts
	maxAnswer int64
}

// Ways of paging.
const (
	pagingNone   = "none"
	pagingLink   = "link"
	pagingPage   = "page"
	pagingOffset = "offset"
	pagingCursor = "cursor"
	pagingKeyset = "keyset"
	pagingNext   = "next"
)

// paging is how one page follows the other.
type paging struct {
	way       string
	size      int64 // rows to ask for; 0: not asked for
	first     int64
	seam      bool
	place     place // of the cursor or the next URL
	more      place
	key       string
	trustKeys bool
	forbidden string // characters that a key may not have: they would change the query
	short     bool   // a page of fewer rows than size is the last
	repeats   bool
	most      int64

	total     place // unset: the header, when there
	counted   bool  // totals are looked at
	remaining bool  // the total is of what has not been read yet
	tolerance int64
	cap       int64
}

func (p Parts) compile(a source.Address, at *url.URL) (*plan, error) {
	params, err := parseQuery(at.RawQuery)
	if err != nil {
		return nil, err
	}
	base := *at
	base.RawQuery = ""
	return p.compiled(a.Options, &base, params)
}

// compiled reads the options of requests with these parameters.
func (p Parts) compiled(options format.Options, base *url.URL, params []named) (*plan, error) {
	o := &settings{Options: options}
	pl := &plan{method: o.Text("method", http.MethodGet), base: base, params: params}
	pl.send(o)
	pl.bound(o)
	pl.pages = pagingOf(o)
	pl.marks = marksOf(o)
	for _, step := range []func(*settings) error{func(o *settings) error { return pl.answers(o, p.Formats) }, pl.place, pl.details} {
		if o.err != nil {
			return nil, o.err
		}
		if err := step(o); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

// send reads what is sent beside the address.
func (pl *plan) send(o *settings) {
	sent := http.Header{}
	headers := o.object("headers")
	names := make([]string, 0, len(headers))
	for name, value := range headers {
		sent.Set(name, value)
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		pl.header = append(pl.header, named{name: name, value: parseTemplate(headers[name])})
	}
	pl.escape = plain
	if body := o.Options["body"]; body != "" {
		if pl.body = parseTemplate(body); sent.Get("Content-Type") == "" {
			pl.header = append(pl.header, named{name: "Content-Type", value: literal(contentType(body))})
			sent.Set("Content-Type", contentType(body))
		}
		pl.escape = escaping(sent.Get("Content-Type"))
	}
}

// contentType guesses what a body is that nothing was said of.
func contentType(body string) string {
	switch begin := strings.TrimSpace(body); {
	case strings.HasPrefix(begin, "<"):
		return "application/xml"
	case strings.HasPrefix(begin, "{"), strings.HasPrefix(begin, "["):
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// bound reads what bounds requests.
func (pl *plan) bound(o *settings) {
	pl.every = o.interval("rate")
	pl.attempts = int(max(min(o.Size("attempts", 4), 100), 1))
	pl.longest = o.duration("max_wait", 2*time.Minute)
	pl.timeouts = channel.Timeouts{Total: o.duration("timeout", 0), Connect: o.duration("connect_timeout", 0)}
	pl.timeouts.FirstByte = pl.timeouts.Total
	pl.maxAnswer = o.Size("max_answer", 64<<20)
}

func pagingOf(o *settings) paging {
	p := paging{way: o.Text("paging", pagingNone), size: o.Size("page_size", 0), seam: o.Bool("seam", true), more: place(o.Options["more"]),
		key: o.Options["key"], trustKeys: o.Options["key_order"] == "any", short: o.Options["last_page"] == "short",
		repeats: o.Bool("repeats", false), most: o.Size("max_pages", 100_000), total: place(o.Options["total"]), counted: o.Options["total"] != "none",
		remaining: o.Options["total_of"] == "rest", tolerance: o.Size("total_tolerance", 0), cap: o.Size("row_cap", 0)}
	if p.way == pagingPage {
		p.first = 1
	}
	p.first = o.Size("first", p.first)
	switch p.way {
	case pagingCursor:
		p.place = place(o.Options["cursor"])
	case pagingNext:
		p.place = place(o.Options["next"])
	}
	return p
}

// answers reads what is in answers.
func (pl *plan) answers(o *settings, formats []format.Format) error {
	name := o.Text("format", "json")
	if name == "ndjson" {
		name = "json"
	}
	f, err := format.Named(name, formats)
	if err != nil {
		return err
	}
	pl.format, pl.rows, pl.refusal = f, o.Options["rows"], place(o.Options["error"])
	if o.Options["format"] == "ndjson" {
		pl.rows = cmp.Or(pl.rows, "/")
	}
	pl.expired = strings.Split(o.Text("expired", "expired|invalid_token"), "|")
	pl.reading = format.Options{}
	for name, value := range o.object("format_options") {
		pl.reading[name] = value
	}
	if pl.rows != "" && name == "csv" {
		return fault.New(fault.Invalid, "option rows: an answer in CSV is all rows").WithHint("leave it out")
	}
	if o.err != nil {
		return o.err
	}
	return pl.reading.Check(f.Info().Options)
}

// place finds a parameter for every value that requests are to have, and what paging needs beside it.
func (pl *plan) place(o *settings) error {
	if pl.pages.size > 0 && o.Options["size_param"] != "" {
		pl.add(atSize, o.Options["size_param"]+"={size}")
	}
	if pl.marks != nil && o.Options["since"] != "" {
		pl.add(atSince, o.Options["since"])
	}
	switch pl.pages.way {
	case pagingPage:
		pl.add(atPage, o.Text("page_param", "page")+"={page}")
	case pagingOffset:
		pl.add(atOffset, o.Text("offset_param", "offset")+"={offset}")
	case pagingCursor:
		pl.add(atCursor, o.Text("cursor_param", "cursor")+"={cursor}")
	case pagingKeyset:
		pl.add(atLast, o.Options["key_param"])
	}
	if err := pl.complete(); err != nil {
		return err
	}
	return pl.unambiguous()
}

// add adds the parameter name=template, unless its placeholder stands somewhere already.
func (pl *plan) add(placeholder, param string) {
	if name, value, found := strings.Cut(param, "="); found && name != "" && !pl.uses(placeholder) {
		pl.params = append(pl.params, named{name: name, value: parseTemplate(value)})
	}
}

func (pl *plan) uses(placeholder string) bool {
	has := func(n named) bool { return n.value.uses(placeholder) }
	return slices.ContainsFunc(pl.params, has) || slices.ContainsFunc(pl.header, has) || pl.body.uses(placeholder)
}

// complete refuses a way of paging that lacks something.
func (pl *plan) complete() error {
	p := pl.pages
	lacks := func(name, hint string) error {
		return fault.New(fault.Invalid, "paging %s needs the option %s", p.way, name).WithHint("%s", hint)
	}
	switch {
	case (p.way == pagingCursor || p.way == pagingNext) && p.place == "":
		return lacks(p.way, "the place in the answer, for instance /meta/"+p.way)
	case p.way == pagingKeyset && p.key == "":
		return lacks("key", "the column that pages are ordered by")
	case p.way == pagingKeyset && !pl.uses(atLast):
		return lacks("key_param", "for instance after={last}")
	case p.short && p.size == 0:
		return fault.New(fault.Invalid, "option last_page: short needs page_size").WithHint("a page is short when it has fewer rows")
	case p.way == pagingOffset && p.seam && p.size == 1:
		return fault.New(fault.Invalid, "pages of one row have no room for a seam").WithHint("set page_size to 2 at least, or seam to false")
	case pl.marks == nil && pl.uses(atSince):
		return fault.New(fault.Invalid, "{since} stands in the request, but there is no watermark").WithHint("set the option watermark to the column of the mark")
	}
	return nil
}

// unambiguous refuses parameters that the options add to an address that has them already.
func (pl *plan) unambiguous() error {
	for i, p := range pl.params {
		again := func(o named) bool { return o.name == p.name }
		dynamic := placeholder.MatchString(show(p.value))
		if dynamic && (slices.ContainsFunc(pl.params[:i], again) || slices.ContainsFunc(pl.params[i+1:], again)) {
			return fault.New(fault.Invalid, "the query parameter %s is there twice", p.name).WithHint("take it from the address, or put the placeholder into its value there")
		}
	}
	return nil
}

// show writes a template as it was read.
func show(t template) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.group != nil:
			b.WriteString("[" + show(p.group) + "]")
		case p.name != "":
			b.WriteString("{" + p.name + "}")
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// detail is the call for more about each row.
type detail struct {
	url    template
	rows   string
	prefix string
	atOnce int
	spoil  bool
}

// details reads the options of the call for each row. The host is that of the address, or one that is written out.
func (pl *plan) details(o *settings) error {
	target := o.Options["detail"]
	if target == "" {
		return nil
	}
	bare := column.ReplaceAllString(target, "x")
	u, err := pl.base.Parse(bare)
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(target, "https://"), "http://"), "/")
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(target, "://") && strings.Contains(host, "{") {
		return fault.New(fault.Invalid, "option detail: %q is no URL or path at the service", target).WithHint("for instance /items/{id}; the host cannot come from a row")
	}
	if !column.MatchString(target) {
		return fault.New(fault.Invalid, "option detail: %q has no column in it", target).WithHint("for instance /items/{id}, where id is a column of the rows")
	}
	if !sameHost(u, pl.base) {
		return fault.New(fault.Invalid, "option detail: the host %s is not that of the address", u.Host).WithHint("details are called with the same credentials")
	}
	pl.detail = &detail{url: parsePlain(target, column), rows: o.Text("detail_rows", "/"), prefix: o.Text("detail_prefix", "detail."),
		atOnce: int(max(min(o.Size("detail_concurrency", 4), 64), 1)), spoil: o.Options["detail_failure"] == "spoil"}
	return nil
}

var standard = regexp.MustCompile(`:(80|443)$`)

// sameHost compares hosts and ports; http and https on their own ports are one.
func sameHost(a, b *url.URL) bool {
	host := func(u *url.URL) string {
		return standard.ReplaceAllString(strings.ToLower(u.Host), "")
	}
	return host(a) == host(b)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
