package importset

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"strconv"
	"unsafe"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// A page stands beside the staging rows of a block. It holds a proof of each row whose record was left holding just what
// the row maps to: the hash of the row's cells, and the record. A later run that meets the same cells, while nobody has
// touched the record, knows that the row is unchanged without reading the record (known.go). Such a row is not staged a
// second time: the page says which staging row of an earlier run shows it. Whoever reads staging finds both (shown.go).

// sum is a part of a hash, or the 16 bytes that the 32 digits of a sys_id are.
type sum [16]byte

// sumOf is the hash of a row's payload. Nobody should be able to make a changed row look like an unchanged one, so it is
// a cryptographic one.
func sumOf(payload string) sum {
	full := sha256.Sum256(unsafe.Slice(unsafe.StringData(payload), len(payload)))
	return sum(full[:16])
}

// sumID packs a sys_id. Ids that somebody else has given may not be packed.
func sumID(id string) (s sum, ok bool) {
	if !packable(id) {
		return s, false
	}
	_, err := hex.Decode(s[:], unsafe.Slice(unsafe.StringData(id), len(id)))
	return s, err == nil
}

// packable reports whether an id is 32 hex digits in lower case, so that it comes back as it was.
func packable(id string) bool {
	if len(id) != 2*len(sum{}) {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (s sum) id() string { return hex.EncodeToString(s[:]) }

// stretch is rows of a page that follow each other and are shown by staging rows that follow each other, on lines that do.
type stretch struct {
	at, rows int64 // within the page
	shown    int64 // id of the staging row that shows the first
	line     int64 // of the first
}

// hash makes the sums of the block's rows.
func (b *block) hash() {
	b.sums = slices.Grow(b.sums[:0], len(b.payload))
	for _, p := range b.payload {
		b.sums = append(b.sums, sumOf(p))
	}
}

// page lays out the page of a block: its sums and records, as the text that the store keeps, and its stretches. The text
// lies in the block's memory.
func (b *matched) page() (sums, shown string) {
	y := b.memory
	if y == nil {
		y = &memory{}
	}
	n, w := b.len(), len(sum{})
	raw := slices.Grow(y.proofs[:0], 2*n*w)[:2*n*w]
	clear(raw)
	var list []stretch
	for i := range b.out {
		o := &b.out[i]
		if o.fate != Inserted && o.fate != Updated && o.fate != Unchanged {
			continue
		}
		id, ok := o.record, o.shown != 0
		if !ok {
			id, ok = sumID(o.target)
		}
		if !ok {
			continue
		}
		copy(raw[i*w:], b.sums[i][:])
		copy(raw[(n+i)*w:], id[:])
		if o.shown != 0 {
			list = lengthen(list, int64(i), o.shown, b.lines[i])
		}
	}
	y.proofs, y.text = raw, base64.RawStdEncoding.AppendEncode(y.text[:0], raw)
	return unsafe.String(unsafe.SliceData(y.text), len(y.text)), packStretches(list)
}

func lengthen(list []stretch, at, shown, line int64) []stretch {
	if k := len(list) - 1; k >= 0 {
		if s := &list[k]; s.at+s.rows == at && s.shown+s.rows == shown && s.line+s.rows == line {
			s.rows++
			return list
		}
	}
	return append(list, stretch{at: at, rows: 1, shown: shown, line: line})
}

// packStretches writes each stretch by what it differs from the end of the one before it: most are a few bytes.
func packStretches(list []stretch) string {
	if len(list) == 0 {
		return ""
	}
	var raw []byte
	var end stretch
	for _, s := range list {
		raw = binary.AppendUvarint(raw, uint64(s.at-end.at))
		raw = binary.AppendUvarint(raw, uint64(s.rows))
		raw = binary.AppendVarint(raw, s.shown-end.shown)
		raw = binary.AppendVarint(raw, s.line-end.line)
		end = stretch{at: s.at + s.rows, shown: s.shown + s.rows, line: s.line + s.rows}
	}
	return base64.RawStdEncoding.EncodeToString(raw)
}

var errPage = errors.New("a page of the import set is damaged")

func unpackStretches(text string) ([]stretch, error) {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errPage
	}
	var list []stretch
	var end stretch
	for len(raw) > 0 {
		var s stretch
		var n [4]int
		var at, rows uint64
		at, n[0] = binary.Uvarint(raw)
		rows, n[1] = binary.Uvarint(raw[max(n[0], 0):])
		s.shown, n[2] = binary.Varint(raw[max(n[0]+n[1], 0):])
		s.line, n[3] = binary.Varint(raw[max(n[0]+n[1]+n[2], 0):])
		if min(n[0], n[1], n[2], n[3]) <= 0 {
			return nil, errPage
		}
		s.at, s.rows, s.shown, s.line = end.at+int64(at), int64(rows), s.shown+end.shown, s.line+end.line
		list = append(list, s)
		end = stretch{at: s.at + s.rows, shown: s.shown + s.rows, line: s.line + s.rows}
		raw = raw[n[0]+n[1]+n[2]+n[3]:]
	}
	return list, nil
}

// keepPage writes the page of a block, if there is something in it that a later run may rest on or that shows a row.
func (p *pass) keepPage(ctx context.Context, rw *record.Writer, m *matched) error {
	if !p.proves || m.len() == 0 {
		return nil
	}
	if p.x != nil && !rw.Verbatim(p.x.m.Target, p.x.m.Fields) {
		p.im.unproven.Store(true)
		if m.own == m.len() {
			return nil
		}
	}
	sums, shown := m.page()
	rows := &record.Rows{Fields: []string{"id", "sums", "shown"}, Checked: true, Values: []record.Value{
		record.Text(strconv.FormatInt(rowID(p.im.run_.Number, m.first), 10)), record.Text(sums), {Text: shown, Valid: shown != ""}}}
	return rw.Tx().Insert(ctx, p.im.db.Catalog().Table(PageTable), rows)
}

// keptPage is a page as it is kept.
type keptPage struct {
	first    int64 // number of its first row in the run
	sums     []byte
	stretch_ []stretch
}

func (p *keptPage) rows() int64 { return int64(len(p.sums) / (2 * len(sum{}))) }

// proof gives the sums of the page's row i and of its record.
func (p *keptPage) proof(i int64) (row, id sum) {
	w, n := int64(len(sum{})), p.rows()
	return sum(p.sums[i*w : (i+1)*w]), sum(p.sums[(n+i)*w : (n+i+1)*w])
}

// pages yields the pages of a run in order, from the one that begins at row from on.
func pages(ctx context.Context, tx record.Tx, t *record.Table, run, from int64, most int) iter.Seq2[*keptPage, error] {
	bound := func(op query.Op, id int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(id, 10)}}
	}
	q := &record.Query{Table: t, Fields: []string{"id", "sums", "shown"}, OrderBy: []query.Order{{Field: "id"}}, Limit: most,
		Where: &query.And{Parts: []query.Node{bound(query.GreaterEqual, rowID(run, from)), bound(query.Less, rowID(run+1, 0))}}}
	return func(yield func(*keptPage, error) bool) {
		for row, err := range tx.Select(ctx, q) {
			var p *keptPage
			if err == nil {
				p, err = pageOf(row)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func pageOf(row []record.Value) (p *keptPage, err error) {
	p = &keptPage{first: whole64(row[0]) & MaxRows}
	if p.sums, err = base64.RawStdEncoding.DecodeString(row[1].Text); err != nil || len(p.sums)%(2*len(sum{})) != 0 {
		return nil, errPage
	}
	p.stretch_, err = unpackStretches(row[2].Text)
	return p, err
}
