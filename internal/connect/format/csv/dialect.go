package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
)

// settings are a dialect and what lies around the records.
type settings struct {
	dialect
	first    int  // the line the sample was judged from
	skip     int  // lines before the header
	trailing bool // every record ends with a delimiter
	header   bool
	width    int // columns most records have
	notes    []string
}

const (
	sampleRecords = 300 // records of the sample that decide
	maxPreamble   = 50  // lines before a header
)

var delimiters = []string{",", ";", "\t", "|", "^", "\x1f", "~"}

// find settles the dialect: what the options say, and the rest by trying the candidates on the sample.
func find(in *format.Input, o format.Options) (*settings, error) {
	s := &settings{header: o.Bool("header", true)}
	s.comment = []byte(o["comment"])
	s.lax = o["quotes"] == "lax"
	s.trim = o.Bool("trim", false)
	s.eol = lineEnd(in.Sample)
	delim := unescapeOption(o["delimiter"])
	said, body := sepLine(in.Sample, s.eol)
	if delim == "" {
		delim = said
	}
	if s.first = 1; said != "" {
		s.first = 2
	}
	if o["skip_lines"] != "" {
		skip := int(min(o.Size("skip_lines", 0), 1<<30))
		body, s.first = afterLines(in.Sample, s.eol, skip), skip+1
	}
	s.findQuote(o, body, delim)
	if delim != "" {
		s.delim = []byte(delim)
	} else {
		s.delim = []byte(s.bestDelimiter(body, in.Whole))
	}
	s.findEscape(o, body, in.Whole)
	if err := s.check(o["quote"]); err != nil {
		return nil, err
	}
	records := s.trial(body, in.Whole)
	s.width = usualWidth(records)
	s.findSkip(o, records)
	s.findTrailing(o, records)
	if d := string(s.delim); d != "," && o["delimiter"] == "" {
		s.notes = append(s.notes, fmt.Sprintf("delimiter %s (found)", showDelimiter(d)))
	}
	return s, nil
}

// lineEnd is '\r' for texts that know no other line end.
func lineEnd(sample []byte) byte {
	if bytes.IndexByte(sample, '\n') < 0 && bytes.IndexByte(sample, '\r') >= 0 {
		return '\r'
	}
	return '\n'
}

// sepLine finds the first line "sep=;" of spreadsheet programs and gives the delimiter and what follows the line.
func sepLine(sample []byte, eol byte) (delim string, body []byte) {
	line, rest, _ := bytes.Cut(sample, []byte{eol})
	line = bytes.Trim(line, "\r\"")
	if d, ok := bytes.CutPrefix(bytes.ToLower(line), []byte("sep=")); ok && len(d) > 0 && len(d) < 4 {
		return string(d), rest
	}
	return "", sample
}

func afterLines(sample []byte, eol byte, n int) []byte {
	for ; n > 0 && len(sample) > 0; n-- {
		_, sample, _ = bytes.Cut(sample, []byte{eol})
	}
	return sample
}

// findQuote takes ' for the quote when the sample has no " and ' stands around cells.
func (s *settings) findQuote(o format.Options, body []byte, delim string) {
	s.quote = '"'
	switch q := o["quote"]; {
	case q == "none":
		s.quote = 0
	case q != "":
		s.quote = q[0]
	case bytes.IndexByte(body, '"') < 0:
		around := 0
		for _, d := range append(delimiters, delim) {
			if d != "" {
				around = max(around, bytes.Count(body, []byte("'"+d+"'")))
			}
		}
		if around >= 2 && around*8 > bytes.Count(body, []byte("'")) {
			s.quote = '\''
			s.notes = append(s.notes, "quote ' (found)")
		}
	}
	s.escape = s.quote
}

// findEscape takes the backslash for the escape when fewer records are malformed with it than without.
func (s *settings) findEscape(o format.Options, body []byte, whole bool) {
	switch e := o["escape"]; {
	case e == "backslash" || e == `\`:
		s.escape = '\\'
	case e == "" && s.quote != 0 && bytes.Contains(body, []byte{'\\', s.quote}):
		doubled := malformed(s.trial(body, whole))
		s.escape = '\\'
		if malformed(s.trial(body, whole)) >= doubled {
			s.escape = s.quote
		} else {
			s.notes = append(s.notes, "escape backslash (found)")
		}
	}
}

func (s *settings) check(quote string) error {
	bad := ""
	switch d := string(s.delim); {
	case len(quote) > 1 && quote != "none":
		bad = "the quote must be one ASCII character"
	case strings.ContainsAny(d, "\r\n"):
		bad = "the delimiter must not hold line ends"
	case s.quote != 0 && strings.IndexByte(d, s.quote) >= 0:
		bad = "delimiter and quote must differ"
	case s.quote >= 0x80 || s.quote == '\n' || s.quote == '\r' || s.quote == '\\':
		bad = "the quote must be one ASCII character"
	}
	if bad != "" {
		return fault.New(fault.Invalid, "%s", bad).WithHint("for instance delimiter=\";\" quote=\"'\"; quote=none reads quotes as ordinary characters")
	}
	return nil
}

// trialRecord is a record of the sample, as one candidate dialect reads it.
type trialRecord struct {
	line  int64
	cells int
	full  int  // cells that are not empty
	last  bool // the last cell is not empty
	bad   bool
}

// trial reads the beginning of the sample. A record the sample cuts off is left out.
func (s *settings) trial(body []byte, whole bool) []trialRecord {
	sc := &scanner{dialect: s.dialect, ctx: context.Background(), src: bytes.NewReader(body), limit: len(body), line: int64(s.first)}
	var out []trialRecord
	for len(out) < sampleRecords && sc.next() == nil && (whole || sc.rescans == 0) {
		t := trialRecord{line: sc.start, cells: len(sc.cells), bad: sc.bad != nil}
		for _, c := range sc.cells {
			if !c.Empty() {
				t.full++
			}
		}
		t.last = len(sc.cells) > 0 && !sc.cells[len(sc.cells)-1].Empty()
		out = append(out, t)
	}
	if !whole && len(out) > 1 && len(out) < sampleRecords {
		out = out[:len(out)-1]
	}
	return out
}

func malformed(records []trialRecord) (n int) {
	for _, r := range records {
		if r.bad {
			n++
		}
	}
	return n
}

// usualWidth is the number of cells that most records have; the larger one when two are as frequent.
func usualWidth(records []trialRecord) (width int) {
	counts := map[int]int{}
	for _, r := range records {
		if r.bad {
			continue
		}
		counts[r.cells]++
		if n, most := counts[r.cells], counts[width]; n > most || n == most && r.cells > width {
			width = r.cells
		}
	}
	return max(width, 1)
}

// bestDelimiter prefers the candidate that cuts most records alike, the first among them included, then the one that
// makes more columns.
func (s *settings) bestDelimiter(body []byte, whole bool) string {
	best, bestScore := ",", 0
	for _, d := range delimiters {
		if !bytes.Contains(body, []byte(d)) {
			continue
		}
		s.delim = []byte(d)
		if score := rate(s.trial(body, whole)); score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

func rate(records []trialRecord) int {
	width := usualWidth(records)
	if width < 2 || len(records) == 0 {
		return 0
	}
	alike, headed := 0, 0
	for i, r := range records {
		if r.cells == width && !r.bad {
			alike++
		}
		if r.cells == width && i == 0 {
			headed = 1
		}
	}
	if alike*2 < len(records) {
		return 0
	}
	return (alike*20/len(records)+5*headed)*10_000 + min(width, 9_999)
}

// findSkip finds lines before the header: records with far fewer filled cells than most have.
func (s *settings) findSkip(o format.Options, records []trialRecord) {
	s.skip = s.first - 1
	if o["skip_lines"] != "" {
		return
	}
	if !s.header || s.width < 2 {
		return
	}
	for i, r := range records {
		sparse := r.full*3 <= s.width || r.cells < s.width && r.full*2 <= s.width
		if r.line > maxPreamble || !sparse && i == 0 {
			return
		}
		if !sparse {
			s.notes = append(s.notes, fmt.Sprintf("skipped %d lines before the header", int(r.line)-s.first))
			s.skip = int(r.line) - 1
			return
		}
	}
}

// findTrailing finds out whether all records end with a delimiter that makes no cell.
func (s *settings) findTrailing(o format.Options, records []trialRecord) {
	if o["trailing_delimiter"] != "" {
		s.trailing = o.Bool("trailing_delimiter", false)
		return
	}
	if !s.header {
		return
	}
	usual := 0
	for _, r := range records {
		if int(r.line) <= s.skip || r.bad {
			continue
		}
		if r.cells == s.width {
			usual++
			if r.last {
				return
			}
		}
	}
	if s.trailing = usual > 1 && s.width > 2; s.trailing {
		s.notes = append(s.notes, "every line ends with a delimiter: it makes no column")
	}
}

// options gives the dialect by the names of the options.
func (s *settings) options(in *format.Input) format.Options {
	quote, escape := "none", "double"
	if s.quote != 0 {
		quote = string(rune(s.quote))
	}
	if s.escape != s.quote {
		escape = "backslash"
	}
	o := format.Options{
		"delimiter": showDelimiter(string(s.delim)), "quote": quote, "escape": escape, "charset": in.Charset,
		"header": strconv.FormatBool(s.header), "skip_lines": strconv.Itoa(s.skip),
		"trailing_delimiter": strconv.FormatBool(s.trailing), "bom": strconv.FormatBool(in.BOM),
	}
	if bytes.Contains(in.Sample, []byte("\r\n")) {
		o["line_end"] = "crlf"
	}
	if s.trim {
		o["trim"] = "true"
	}
	if len(s.comment) > 0 {
		o["comment"] = string(s.comment)
	}
	if s.lax {
		o["quotes"] = "lax"
	}
	return o
}

var delimiterNames = strings.NewReplacer("\t", `\t`, "\x1f", `\x1f`, "\x01", `\x01`)

func showDelimiter(d string) string { return delimiterNames.Replace(d) }

// unescapeOption lets a delimiter be written as tab, \t or \x1f.
func unescapeOption(d string) string {
	switch strings.ToLower(d) {
	case "tab":
		return "\t"
	case "comma":
		return ","
	case "semicolon":
		return ";"
	case "pipe":
		return "|"
	case "space":
		return " "
	}
	if u, err := strconv.Unquote(`"` + strings.ReplaceAll(d, `"`, `\"`) + `"`); err == nil {
		return u
	}
	return d
}

// skipLines moves the scanner past the lines before the header.
func (s *scanner) skipLines(n int) error {
	for range n {
		_, width, err := s.physical()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if width < 0 {
			if err := s.overlong(); err != nil {
				return err
			}
			continue
		}
		s.advance(width, 1)
	}
	return nil
}
