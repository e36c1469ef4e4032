package datasource

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// Types of columns, as far as a source is held to them. A column of texts takes anything, so what is narrower in one
// delivery is no change.
const (
	typeText     = "string"
	typeNumber   = "number"
	typeBoolean  = "boolean"
	typeDate     = "date"
	typeDateTime = "datetime"
)

// agreedColumn is one column of a contract. Without a type nothing was known of its values yet.
type agreedColumn struct {
	Name     string   `json:"name"`
	Type     string   `json:"type,omitempty"`
	Formats  []string `json:"formats,omitempty"`  // patterns of dates that are not ISO
	Optional bool     `json:"optional,omitempty"` // some rows did without it
}

// contract is what a source was agreed to be like: written down in its record, or learnt from the first good run.
type contract struct {
	Columns []agreedColumn `json:"columns"`
	Base    string         `json:"base,omitempty"` // of what was learnt: the hash of what was written down then
}

// parseContract reads a contract as people write it. "" is none.
func parseContract(text string) (*contract, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	c := &contract{}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the contract is not as expected").
			WithHint(`{"columns": [{"name": "Serial", "type": "string"}]}; types are string, number, boolean, date, datetime`)
	}
	for _, a := range c.Columns {
		if !slices.Contains([]string{"", typeText, typeNumber, typeBoolean, typeDate, typeDateTime}, a.Type) {
			return nil, fault.New(fault.Invalid, "the contract says that column %q is of type %q", a.Name, a.Type).
				WithHint("types are string, number, boolean, date, datetime")
		}
	}
	return c, nil
}

// agreedOn gives the contract that is in force; nil when there is none yet. What was learnt counts as long as what is
// written down stays the same.
func (s *Service) agreedOn(ctx context.Context, d *saved) (*contract, string, error) {
	text := d.get("contract")
	sum := sha256.Sum256([]byte(text))
	base := hex.EncodeToString(sum[:8])
	written, err := parseContract(text)
	if err != nil {
		return nil, base, err
	}
	h, err := s.health(ctx, d.id)
	if err != nil || h == nil || h.Get("learnt").Empty() {
		return written, base, err
	}
	learnt := &contract{}
	if json.Unmarshal([]byte(h.Get("learnt").Text), learnt) != nil || learnt.Base != base {
		return written, base, nil
	}
	return learnt, base, nil
}

// Kinds of differences.
const (
	NewColumn     = "new"
	MissingColumn = "missing"
	ChangedType   = "changed"
)

// Difference is one way in which what came is not what was agreed on.
type Difference struct {
	Kind   string `json:"kind"`
	Column string `json:"column"`
	Was    string `json:"was,omitempty"` // type
	Is     string `json:"is,omitempty"`
	Policy string `json:"policy"` // ignore, add, quarantine, stop
	Hint   string `json:"hint,omitempty"`
	// Held says that the policy was not carried out, because another difference stopped all.
	Held bool `json:"held,omitempty"`

	column agreedColumn
}

// String says the difference and what is done about it.
func (d Difference) String() string {
	what := map[string]string{NewColumn: fmt.Sprintf("column %q is new (%s)", d.Column, d.Is), MissingColumn: fmt.Sprintf("column %q is missing", d.Column),
		ChangedType: fmt.Sprintf("column %q was %s and is %s", d.Column, d.Was, d.Is)}[d.Kind]
	done := map[string]string{"ignore": "ignored", "add": "agreed on from now", "quarantine": "set aside", "stop": "stopped"}[d.Policy]
	if d.Held {
		done = "would be " + done
	}
	return what + ": " + done
}

// Line is String with the hint.
func (d Difference) Line() string {
	if d.Hint == "" {
		return d.String()
	}
	return d.String() + " (" + d.Hint + ")"
}

// compare holds what came against the contract. Order and case of columns do not matter, nor does a column without any
// values.
func (c *contract) compare(came *observed) []Difference {
	var fresh, gone, changed []Difference
	names := transform.ColumnNames(came.columns)
	at := make(map[string]int, len(names))
	for i, n := range names {
		at[n] = i
	}
	agreed := transform.ColumnNames(c.names())
	taken := make([]bool, len(names))
	for k, a := range c.Columns {
		i, there := at[agreed[k]]
		if !there {
			if !came.grows || !a.Optional && came.rows > 0 {
				gone = append(gone, Difference{Kind: MissingColumn, Column: a.Name, Was: a.Type, column: a})
			}
			continue
		}
		taken[i] = true
		if is := came.types[i]; a.Type != "" && is.strays(a) {
			changed = append(changed, Difference{Kind: ChangedType, Column: a.Name, Was: a.Type, Is: is.kind(), column: is.agree(came.columns[i], came.rows)})
		}
	}
	for i, name := range came.columns {
		if !taken[i] {
			column := came.types[i].agree(name, came.rows)
			fresh = append(fresh, Difference{Kind: NewColumn, Column: name, Is: orEmpty(column.Type), column: column})
		}
	}
	renamed(gone, fresh)
	return slices.Concat(fresh, gone, changed)
}

func orEmpty(kind string) string {
	if kind == "" {
		return "without values"
	}
	return kind
}

// renamed hints at new columns that look like missing ones.
func renamed(gone, fresh []Difference) {
	var names []string
	for _, f := range fresh {
		names = append(names, f.Column)
	}
	for i := range gone {
		at := alike(gone[i].Column, names)
		if at < 0 || gone[i].Was != "" && fresh[at].column.Type != "" && gone[i].Was != fresh[at].column.Type {
			continue
		}
		gone[i].Hint = fmt.Sprintf("renamed? %q is new and looks like it", names[at])
		fresh[at].Hint = fmt.Sprintf("renamed? %q is missing", gone[i].Column)
	}
}

// alike finds the name that is nearest, or that the other is a part of; -1 when none is.
func alike(name string, names []string) int {
	plain := transform.ColumnName(name)
	near := record.Nearest(name, names)
	for i, n := range names {
		if other := transform.ColumnName(n); n == near || strings.Contains(other, plain) || strings.Contains(plain, other) {
			return i
		}
	}
	return -1
}

func (c *contract) names() []string {
	out := make([]string, len(c.Columns))
	for i, a := range c.Columns {
		out[i] = a.Name
	}
	return out
}

// follow takes over the differences that are to be agreed on, and the types of columns that had no values before.
func (c *contract) follow(differences []Difference, came *observed) (changed bool) {
	for _, d := range differences {
		if d.Policy != "add" {
			continue
		}
		changed = true
		i := slices.IndexFunc(c.Columns, func(a agreedColumn) bool { return a.Name == d.Column })
		switch d.Kind {
		case NewColumn:
			c.Columns = append(c.Columns, d.column)
		case MissingColumn:
			c.Columns = slices.Delete(c.Columns, i, i+1)
		case ChangedType:
			d.column.Name = d.Column
			c.Columns[i] = d.column
		}
	}
	for i := range c.Columns {
		if a := &c.Columns[i]; a.Type == "" {
			if k := slices.Index(came.columns, a.Name); k >= 0 && came.types[k].kind() != "" {
				*a, changed = came.types[k].agree(a.Name, came.rows), true
			}
		}
	}
	return changed
}

// How many rows the types are judged by: of files whose columns stand in the first line, and of rows that come from
// where there are no bytes, which are held back until they are judged. Other files are read to the end.
const (
	judgedRows = 100_000
	peekedRows = 1_000
)

// observe reads a source for its columns and their types.
func observe(ctx context.Context, src *importset.Source) (*observed, error) {
	o := &observed{grows: src.Format != nil && src.Format.Info().Grows}
	for row, err := range src.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		if o.see(row); o.rows >= judgedRows && !o.grows {
			break
		}
	}
	return o, nil
}

// drifted says that a source is not what was agreed on.
type drifted struct{ aside bool }

// Error makes drifted an error.
func (drifted) Error() string { return "nothing was written" }

// agree holds what came against the contract, before anything is written: a fault of kind Refused when the policies say
// so. Without a contract, what came becomes one when it is imported.
func (j *job) agree(ctx context.Context, came *observed) error {
	c, base, err := j.agreedOn(ctx, j.src)
	if j.learnt != "" && err == nil { // by a file before this one
		c = &contract{}
		err = json.Unmarshal([]byte(j.learnt), c)
	}
	if err != nil || len(came.columns) == 0 { // nothing at all came: that is the business of on_zero_rows
		return err
	}
	if c == nil {
		c = &contract{Base: base}
		if came.rows > 0 {
			for i, name := range came.columns {
				c.Columns = append(c.Columns, came.types[i].agree(name, came.rows))
			}
			j.proposed = encode(c)
		}
		return nil
	}
	differences := c.compare(came)
	if err := j.decide(differences); err != nil {
		return err
	}
	c.Base = base
	if c.follow(differences, came) {
		j.proposed = encode(c)
	}
	return nil
}

// decide notes differences with what the policies say of each, and refuses what they do not let through.
func (j *job) decide(differences []Difference) error {
	stop, aside := false, false
	for i := range differences {
		d := &differences[i]
		d.Policy = j.src.get(map[string]string{NewColumn: "on_new_column", MissingColumn: "on_missing_column", ChangedType: "on_changed_type"}[d.Kind])
		if j.req.Accept {
			d.Policy = "add"
		}
		stop, aside = stop || d.Policy == "stop", aside || d.Policy == "quarantine"
	}
	var words []string
	for i := range differences {
		d := &differences[i]
		if d.Held = (stop || aside) && d.Policy == "add"; !d.Held {
			words = append(words, d.Line())
		}
	}
	j.result.Drift = append(j.result.Drift, differences...)
	if !stop && !aside {
		return nil
	}
	hint := "accept it once, so that the contract follows: headrace source run " + j.src.name + " --accept; or set on_new_column, on_missing_column, on_changed_type"
	if j.src.kind.Files != nil {
		hint += "; or take the file away, if it is a mistake"
	}
	return fault.Wrap(fault.Refused, drifted{aside: aside && !stop}, "not what was agreed on: %s", strings.Join(words, "; ")).WithHint("%s", hint)
}

// held lets rows through that are as agreed. The first ones are held back until they are judged.
func (j *job) held(live func(context.Context) iter.Seq2[*format.Row, error]) func(context.Context) iter.Seq2[*format.Row, error] {
	return func(ctx context.Context) iter.Seq2[*format.Row, error] {
		return func(yield func(*format.Row, error) bool) {
			j.result.Drift = nil
			p := &peek{job: j, came: &observed{}, yield: yield}
			for row, err := range live(ctx) {
				if err != nil {
					yield(nil, err)
					return
				}
				if !p.take(ctx, row) {
					return
				}
			}
			p.judge(ctx)
		}
	}
}

// peek is the rows of one reading on their way, the first of them held back.
type peek struct {
	*job
	came   *observed
	kept   []*format.Row
	judged bool
	yield  func(*format.Row, error) bool
}

func (p *peek) take(ctx context.Context, row *format.Row) bool {
	if p.judged {
		return p.yield(row, nil)
	}
	p.came.see(row)
	own := *row // readers use their rows again
	own.Cells = slices.Clone(row.Cells)
	p.kept = append(p.kept, &own)
	return len(p.kept) < peekedRows || p.judge(ctx)
}

// judge lets the rows go that were held back, or ends the reading.
func (p *peek) judge(ctx context.Context) bool {
	if p.judged {
		return true
	}
	p.judged = true
	if err := p.agree(ctx, p.came); err != nil {
		p.yield(nil, err)
		return false
	}
	for _, row := range p.kept {
		if !p.yield(row, nil) {
			return false
		}
	}
	p.kept = nil
	return true
}

// settleContract takes over what was proposed once the rows are in, and gives the staging table its new columns.
func (j *job) settleContract(ctx context.Context, run *importset.Run) error {
	if j.proposed == "" || run.State != importset.Done || run.Ledger.Read == 0 {
		return nil
	}
	j.learnt = j.proposed
	var added []string
	for _, d := range j.result.Drift {
		if d.Kind == NewColumn && d.Policy == "add" {
			added = append(added, d.Column)
		}
	}
	if len(added) == 0 {
		return nil
	}
	return j.Imports.AddColumns(context.WithoutCancel(ctx), j.src.staging, added)
}
