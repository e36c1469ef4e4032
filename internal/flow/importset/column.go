package importset

import (
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// ColumnStats describes one column of a source.
type ColumnStats struct {
	Header        string   `json:"header"`
	Name          string   `json:"name"` // as a field
	Type          string   `json:"type"`
	DateFormat    string   `json:"date_format,omitempty"` // the pattern its dates are written by, when it is not ISO
	Blank         int64    `json:"blank"`
	Distinct      int64    `json:"distinct"`
	DistinctExact bool     `json:"distinct_exact"`
	MaxLength     int      `json:"max_length"`
	Samples       []string `json:"samples"`
	Warnings      []string `json:"warnings,omitempty"`

	values   counter
	guess    guess
	before   int64 // rows before the column showed up
	seen     int64
	spaces   int64
	mojibake int64
}

const mostSamples = 3

func newColumnStats(header, name string, rowsBefore int64) *ColumnStats {
	return &ColumnStats{Header: header, Name: name, before: rowsBefore, values: newCounter(), guess: newGuess()}
}

func (c *ColumnStats) see(v record.Value) {
	c.seen++
	if v.Empty() {
		c.Blank++
		return
	}
	if n := len(v.Text); n > c.MaxLength {
		c.MaxLength = max(c.MaxLength, utf8.RuneCountInString(v.Text))
	}
	fresh := c.values.add(v.Text)
	if !fresh {
		return
	}
	c.guess.see(v.Text)
	if len(c.Samples) < mostSamples {
		c.Samples = append(c.Samples, record.Clip(v.Text))
	}
	if strings.TrimSpace(v.Text) != v.Text {
		c.spaces++
	}
	if strings.Contains(v.Text, "Ã¤") || strings.Contains(v.Text, "Ã¶") || strings.Contains(v.Text, "Ã¼") || strings.Contains(v.Text, "Ã©") {
		c.mojibake++
	}
}

func (c *ColumnStats) finish(rows int64) {
	c.Blank += max(0, rows-c.seen) // rows that ended, or came, before the column
	c.Distinct, c.DistinctExact = c.values.count()
	t, pattern, warnings := c.guess.result()
	c.Type, c.DateFormat = string(t), pattern
	c.Warnings = warnings
	if c.spaces > 0 {
		c.Warnings = append(c.Warnings, strconv.FormatInt(c.spaces, 10)+" values have blanks at an end")
	}
	if c.mojibake > 0 {
		c.Warnings = append(c.Warnings, strconv.FormatInt(c.mojibake, 10)+" values look like UTF-8 read as another charset")
	}
}

// guess narrows the types that every value of a column fits.
type guess struct {
	fits    map[record.Type]bool
	dates   []string // patterns that fit so far; nil before the first value
	any     bool
	zeros   bool // some number would lose a leading zero
	spoiled bool // some code would turn into a number, as 5885E9
}

func newGuess() guess {
	return guess{fits: map[record.Type]bool{record.Integer: true, record.Decimal: true, record.Boolean: true, record.Date: true, record.DateTime: true,
		record.IP: true, record.Email: true, record.URL: true}}
}

func (g *guess) see(text string) {
	first := !g.any
	g.any = true
	if len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' {
		g.zeros = true
	}
	if strings.ContainsAny(text, "eE") && g.fits[record.Decimal] {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			g.spoiled = true
		}
	}
	for t := range g.fits {
		if !fitsType(t, text) {
			delete(g.fits, t)
		}
	}
	switch {
	case first:
		g.dates = transform.GuessDateFormat([]string{text})
	case len(g.dates) > 0:
		g.dates = keepPatterns(g.dates, text)
	}
}

func keepPatterns(patterns []string, text string) []string {
	var kept []string
	fits := transform.GuessDateFormat([]string{text})
	for _, p := range patterns {
		for _, f := range fits {
			if p == f {
				kept = append(kept, p)
			}
		}
	}
	return kept
}

func fitsType(t record.Type, text string) bool {
	switch t {
	case record.Boolean:
		switch strings.ToLower(text) {
		case "true", "false", "yes", "no":
			return true
		}
		return false
	case record.Date:
		return len(text) == len(record.DateLayout) && canonical(t, text)
	case record.DateTime:
		return len(text) > len(record.DateLayout) && canonical(t, text)
	case record.IP:
		_, err := netip.ParseAddr(text)
		return err == nil
	case record.URL:
		return strings.Contains(text, "://") && canonical(t, text)
	case record.Decimal:
		return !strings.ContainsAny(text, "eE +") && canonical(t, text)
	case record.Integer:
		return !strings.ContainsAny(text, " +") && canonical(t, text)
	}
	return canonical(t, text)
}

func canonical(t record.Type, text string) bool {
	f := record.Field{Type: t}
	_, err := f.Canonical(text)
	return err == nil
}

// result gives the narrowest type. Codes with leading zeros or that look like numbers in scientific notation stay text.
func (g *guess) result() (t record.Type, pattern string, warnings []string) {
	if !g.any {
		return record.String, "", nil
	}
	numeric := g.fits[record.Integer] || g.fits[record.Decimal]
	if g.zeros && numeric {
		warnings = append(warnings, "kept as text: numbers would lose their leading zeros")
	}
	if g.spoiled {
		warnings = append(warnings, "kept as text: codes such as 12E3 would turn into numbers")
	}
	for _, t := range []record.Type{record.Boolean, record.Integer, record.Decimal, record.Date, record.DateTime, record.IP, record.Email, record.URL} {
		if g.fits[t] && !(g.zeros && (t == record.Integer || t == record.Decimal)) {
			return t, "", warnings
		}
	}
	if len(g.dates) > 0 && !numeric {
		if len(g.dates) > 1 {
			warnings = append(warnings, "dates read as "+strings.Join(g.dates, " and as ")+": say which")
		}
		t = record.Date
		if strings.ContainsAny(g.dates[0], "Hhm") {
			t = record.DateTime
		}
		return t, g.dates[0], warnings
	}
	return record.String, "", warnings
}

// counter counts distinct texts: exactly while there are few, by HyperLogLog (error about 1.6 %) beyond.
type counter struct {
	seed      maphash.Seed
	exact     map[uint64]struct{}
	registers []uint8
}

const (
	exactDistinct = 20_000
	registerBits  = 12
)

func newCounter() counter { return counter{seed: maphash.MakeSeed(), exact: map[uint64]struct{}{}} }

// add counts a text; it reports whether the text may be new.
func (c *counter) add(text string) bool {
	h := maphash.String(c.seed, text)
	if c.exact != nil {
		if _, known := c.exact[h]; known {
			return false
		}
		c.exact[h] = struct{}{}
		if len(c.exact) > exactDistinct {
			c.registers = make([]uint8, 1<<registerBits)
			for h := range c.exact {
				c.register(h)
			}
			c.exact = nil
		}
		return true
	}
	c.register(h)
	return true
}

func (c *counter) register(h uint64) {
	at := h >> (64 - registerBits)
	rank := uint8(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1)) + 1)
	c.registers[at] = max(c.registers[at], rank)
}

func (c *counter) count() (n int64, exact bool) {
	if c.exact != nil {
		return int64(len(c.exact)), true
	}
	m := float64(len(c.registers))
	sum := 0.0
	for _, r := range c.registers {
		sum += math.Pow(2, -float64(r))
	}
	return int64(math.Round(0.7213 / (1 + 1.079/m) * m * m / sum)), false
}

// lineSet remembers hashes of texts, each with the line it was first on, in 12 bytes. The hash has 63 bits, so among ten million
// texts two are mistaken for each other about once in 180,000 readings. Its table is cut into shards, so that growing never doubles the memory.
type lineSet struct {
	seed   maphash.Seed
	shards [lineShards]lineShard
	len    int
}

const lineShards = 256

type lineShard struct {
	hashes []uint64 // 0 is free
	lines  []uint32
	used   int
}

func newLineSet() *lineSet { return &lineSet{seed: maphash.MakeSeed()} }

// add adds a text. had tells whether it was there, and first on which line, 0 when the line was too large to keep.
func (s *lineSet) add(text string, line int64) (first int64, had bool) {
	h := maphash.String(s.seed, text) | 1
	sh := &s.shards[h>>56]
	if 10*sh.used >= 8*len(sh.hashes) {
		sh.grow()
	}
	if line > math.MaxUint32 {
		line = 0
	}
	at := sh.place(h)
	if sh.hashes[at] == h {
		return int64(sh.lines[at]), true
	}
	sh.hashes[at], sh.lines[at] = h, uint32(line)
	sh.used++
	s.len++
	return line, false
}

// place is where a hash is, or belongs.
func (s *lineShard) place(h uint64) int {
	mask := uint64(len(s.hashes) - 1)
	at := h >> 8 & mask
	for s.hashes[at] != 0 && s.hashes[at] != h {
		at = (at + 1) & mask
	}
	return int(at)
}

func (s *lineShard) grow() {
	old := *s
	n := max(16, 2*len(old.hashes))
	s.hashes, s.lines = make([]uint64, n), make([]uint32, n)
	for i, h := range old.hashes {
		if h != 0 {
			at := s.place(h)
			s.hashes[at], s.lines[at] = h, old.lines[i]
		}
	}
}

func foldKey(key string) string { return query.Fold(key) }
