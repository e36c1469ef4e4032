package rest

import (
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"regexp"
	"strings"

	"headrace/internal/core/fault"
)

// turn is the page to ask for next.
type turn struct {
	values values
	at     *url.URL // the page's own URL, nil when it is composed
}

type digest = [sha256.Size]byte

// walker goes from page to page and refuses to go in circles.
type walker struct {
	*plan
	turn
	pages int64
	read  int64 // rows
	asked map[digest]bool
	had   map[digest]bool // what was on pages
	edge  line            // the last row, with the names of its columns
	sewn  bool            // the page began with it
	names []string
	near  map[string]bool // keys on the page before
	order order
	last  string // key of the last row
}

func (w *walker) begin(since string, hasSince bool) {
	w.asked, w.had = map[digest]bool{}, map[digest]bool{}
	w.values = values{}
	if hasSince {
		w.values[atSince] = since
	}
	if w.plan.pages.size > 0 {
		w.values[atSize] = itoa(w.plan.pages.size)
	}
	switch w.plan.pages.way {
	case pagingPage:
		w.values[atPage] = itoa(w.plan.pages.first)
	case pagingOffset:
		w.values[atOffset] = itoa(w.plan.pages.first)
	}
}

// enter refuses a request that was made before, and one too many.
func (w *walker) enter(r *request) error {
	if w.pages++; w.pages > w.plan.pages.most {
		return fault.New(fault.Limit, "%s has more than %d pages", w.base.Host, w.plan.pages.most).WithHint("raise page_size or max_pages")
	}
	d := digestOf(r.method, r.url.String(), string(r.body))
	if w.asked[d] {
		return fault.New(fault.Unavailable, "the pages go in a circle: the page after number %d is %s, which was read before", w.pages-1, r.shown).
			WithHint("the service repeats a link or a cursor: check paging and its options")
	}
	w.asked[d] = true
	return nil
}

func digestOf(texts ...string) digest {
	var b []byte
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return sha256.Sum256(b)
}

// content is the digest of a row's cells by their columns.
func (l line) content(columns []string) digest {
	var texts []string
	for i, c := range l.cells {
		if c.Valid {
			texts = append(texts, columns[i], c.Text)
		}
	}
	return digestOf(texts...)
}

// admit checks a page against those before it and takes off the row that was read already.
func (w *walker) admit(p *page) error {
	if err := w.sew(p); err != nil {
		return err
	}
	if err := w.fresh(p); err != nil {
		return err
	}
	if err := w.keyed(p); err != nil || len(p.rows) == 0 {
		return err
	}
	w.read += int64(len(p.rows))
	w.edge, w.names = p.rows[len(p.rows)-1], p.columns
	return nil
}

// seamed reports whether the next page begins with the last row so far. With a single one, that page would be the same.
func (w *walker) seamed() bool {
	return w.plan.pages.way == pagingOffset && w.plan.pages.seam && w.read > 1
}

// sew checks that a page begins with the last row of the one before. Where it does, no row that was there all the time
// has moved from one page to another; where it does not, one may have been passed over.
func (w *walker) sew(p *page) error {
	if w.sewn = w.seamed(); !w.sewn {
		return nil
	}
	if len(p.rows) == 0 || !w.same(p.rows[0], p.columns) {
		return moved("page %d does not begin with the last row of the page before", w.pages)
	}
	p.rows = p.rows[1:]
	return nil
}

func (w *walker) same(l line, columns []string) bool {
	if key := w.plan.pages.key; key != "" {
		return l.cell(columns, key) == w.edge.cell(w.names, key)
	}
	return l.content(columns) == w.edge.content(w.names)
}

func moved(format string, args ...any) error {
	return fault.New(fault.Unavailable, "the set moved while it was read: "+format, args...).
		WithHint("rows that come or go shift the pages. Use paging keyset where the service can filter by a key, or a sort order in which new rows come last, and try again")
}

// fresh refuses a page that was there before.
func (w *walker) fresh(p *page) error {
	if len(p.rows) == 0 || w.plan.pages.repeats {
		return nil
	}
	sum := sha256.New()
	for _, l := range p.rows {
		d := l.content(p.columns)
		sum.Write(d[:])
	}
	d := digest(sum.Sum(nil))
	if w.had[d] {
		return fault.New(fault.Unavailable, "page %d has the same rows as a page before (%s)", w.pages, p.shown).
			WithHint("the service may not know the parameter of the page: check paging and its options. If pages may be the same, set repeats to true")
	}
	w.had[d] = true
	return nil
}

// keyed checks the keys of a page: in order and unique for keyset, on no two neighbouring pages for page and offset.
func (w *walker) keyed(p *page) error {
	key := w.plan.pages.key
	if key == "" || len(p.rows) == 0 {
		return nil
	}
	near := make(map[string]bool, len(p.rows))
	for _, l := range p.rows {
		v := l.cell(p.columns, key)
		if !v.Valid || v.Text == "" {
			return fault.New(fault.Invalid, "a row of page %d has no key: column %s is empty", w.pages, key).WithHint("the columns are %s", strings.Join(p.columns, ", "))
		}
		if w.near[v.Text] && w.plan.pages.way != pagingKeyset {
			return moved("the row with %s %s is on page %d and on the one before", key, oneLine(v.Text, 60), w.pages)
		}
		if w.plan.pages.way == pagingKeyset {
			if err := w.ordered(v.Text); err != nil {
				return err
			}
		}
		near[v.Text] = true
		w.last = v.Text
	}
	w.near = near
	return nil
}

func (w *walker) ordered(v string) error {
	switch {
	case strings.ContainsAny(v, w.plan.pages.forbidden):
		return fault.New(fault.Invalid, "the key %q would change the query for the next page", oneLine(v, 60))
	case w.last == "" && w.read == 0 && len(w.near) == 0:
		return nil
	case v == w.last:
		return fault.New(fault.Invalid, "two rows have the %s %s", w.plan.pages.key, oneLine(v, 60)).WithHint("paging keyset needs a column that is unique: rows with the same key would be lost between pages")
	case !w.plan.pages.trustKeys && !w.order.takes(w.last, v):
		return fault.New(fault.Invalid, "the rows are not in the order of %s: %s comes after %s", w.plan.pages.key, oneLine(v, 60), oneLine(w.last, 60)).
			WithHint("let the service sort by this column; if it does, in an order of its own, set key_order to any")
	}
	return nil
}

// next moves on to the next page; it reports whether there is one.
func (w *walker) next(p *page, all bool) (bool, error) {
	if more, said := p.at(w.plan.pages.more); said {
		if more == "false" || more == "0" || more == "" {
			return false, nil
		}
		on, err := w.onward(p, false)
		if err == nil && !on {
			err = fault.New(fault.Unavailable, "the service says that there are more pages after page %d, but not where", w.pages).WithHint("check paging and its options")
		}
		return on, err
	}
	return w.onward(p, all)
}

// onward finds the next page. All says that the total has been reached.
func (w *walker) onward(p *page, all bool) (bool, error) {
	switch w.plan.pages.way {
	case pagingLink:
		return w.follow(p, nextLink(p.header.Values("Link")))
	case pagingNext:
		to, _ := p.at(w.plan.pages.place)
		return w.follow(p, to)
	case pagingCursor:
		return w.point(p), nil
	case pagingNone:
		if to := nextLink(p.header.Values("Link")); to != "" {
			return false, fault.New(fault.Unavailable, "there are more pages: the answer has a link to the next one").WithHint("set the option paging to link")
		}
		return false, nil
	}
	if all || w.ended(p) {
		return false, nil
	}
	switch w.plan.pages.way {
	case pagingPage:
		w.values[atPage] = itoa(w.plan.pages.first + w.pages)
	case pagingOffset:
		at := w.plan.pages.first + w.read
		if w.seamed() {
			at--
		}
		w.values[atOffset] = itoa(at)
	case pagingKeyset:
		w.values[atLast] = w.last
	}
	return true, nil
}

// ended reports whether a page was the last one by its rows.
func (w *walker) ended(p *page) bool {
	n := int64(len(p.rows))
	asked := w.plan.pages.size
	if w.sewn {
		asked--
	}
	return n == 0 || w.plan.pages.short && n < asked
}

// follow goes where a link leads: at the same host only, since the credentials go along.
func (w *walker) follow(p *page, to string) (bool, error) {
	if to == "" {
		return false, nil
	}
	next, err := p.url.Parse(to)
	if err != nil || next.Scheme != "http" && next.Scheme != "https" {
		return false, fault.New(fault.Unavailable, "page %d leads to %q, which is no URL", w.pages, oneLine(to, 80)).WithHint("check the option next")
	}
	if !sameHost(next, w.base) {
		return false, fault.New(fault.Refused, "page %d leads to another host, %s", w.pages, oneLine(next.Host, 80)).WithHint("credentials go to the host of the address only: set the address to where the service is")
	}
	next.Scheme, next.Host, next.User = w.base.Scheme, w.base.Host, nil // behind a proxy, a service may take https for http
	w.turn.at = next
	return true, nil
}

func (w *walker) point(p *page) bool {
	to, ok := p.at(w.plan.pages.place)
	if !ok || to == "" {
		return false
	}
	w.values[atCursor] = to
	return true
}

var linkEntry = regexp.MustCompile(`<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*=\s*(?:"[^"]*"|[^\s;,"]*))*)`)
var linkNext = regexp.MustCompile(`(?i);\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?:[\s;,]|$))`)

// nextLink finds the link with rel=next among Link headers.
func nextLink(headers []string) string {
	for _, h := range headers {
		for _, m := range linkEntry.FindAllStringSubmatch(h, -1) {
			if linkNext.MatchString(m[2]) {
				return m[1]
			}
		}
	}
	return ""
}
