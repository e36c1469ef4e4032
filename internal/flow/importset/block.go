package importset

import (
	"context"
	"iter"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// Limits of a block: it is one transaction, so it ends by rows, bytes or time, whichever comes first.
const (
	blockRows  = 20_000
	blockBytes = 3 << 20 // of payload; its rows as cells and values take several times that, and three blocks are on their way
	blockTime  = 250 * time.Millisecond
)

// block is a run of rows on their way through the pipeline.
type block struct {
	first   int64   // number of its first row in the run, from 0
	numbers []int64 // the rows' numbers, when they do not follow each other
	header  *format.Header
	lines   []int64
	cells   [][]record.Value
	errs    map[int]*format.RowError
	sound   []bool // which rows hold neither NUL nor anything but UTF-8; nil when nobody has looked
	payload []string
	sums    []sum     // of the payloads, where proofs are kept; nil elsewhere
	old     []prior   // what an earlier pass made of the rows, in later passes
	planned []planRow // what a plan says of the rows, when one is applied
	fates   []outcome // what became of the rows, when an earlier run is repeated

	text  []byte         // what payload is cut out of
	arena []record.Value // what cells are cut out of
}

// isSound reports whether row i is known to hold neither NUL nor anything but UTF-8.
func (b *block) isSound(i int) bool { return b.sound != nil && b.sound[i] }

// prior is what a row has come to already: by earlier maps, and, when it is tried again, by this one.
type prior struct {
	fate Fate // of the row as a whole
	rest Fate // the strongest that other maps gave it, when it is tried again
}

func (b *block) len() int { return len(b.lines) }

// row is the number of the block's row i in the run.
func (b *block) row(i int) int64 {
	if b.numbers != nil {
		return b.numbers[i]
	}
	return b.first + int64(i)
}

// find is where in the block the row of that number is, or -1.
func (b *block) find(row int64) int {
	if b.numbers != nil {
		return slices.Index(b.numbers, row)
	}
	if at := row - b.first; at >= 0 && at < int64(b.len()) {
		return int(at)
	}
	return -1
}

// cut parts a block before its row n.
func (b *block) cut(n int) (head, tail *block) {
	h, t := *b, *b
	h.lines, t.lines = b.lines[:n], b.lines[n:]
	h.cells, t.cells = b.cells[:n], b.cells[n:]
	h.payload, t.payload = b.payload[:n], b.payload[n:]
	if b.numbers != nil {
		h.numbers, t.numbers = b.numbers[:n], b.numbers[n:]
	}
	if len(b.sums) == b.len() {
		h.sums, t.sums = b.sums[:n], b.sums[n:]
	}
	if b.sound != nil {
		h.sound, t.sound = b.sound[:n], b.sound[n:]
	}
	if b.old != nil {
		h.old, t.old = b.old[:n], b.old[n:]
	}
	if b.planned != nil {
		h.planned, t.planned = b.planned[:n], b.planned[n:]
	}
	t.first += int64(n)
	h.errs, t.errs = nil, nil
	for i, e := range b.errs {
		if i < n {
			if h.errs == nil {
				h.errs = map[int]*format.RowError{}
			}
			h.errs[i] = e
		}
		if i >= n {
			if t.errs == nil {
				t.errs = map[int]*format.RowError{}
			}
			t.errs[i-n] = e
		}
	}
	return &h, &t
}

// digest adds the rows of the block to a digest of all rows before it. It depends on the rows and their order alone, not
// on how they were cut into blocks.
func (b *block) digest(sum uint64) uint64 {
	for _, p := range b.payload {
		sum = (bits.RotateLeft64(sum, 23) ^ xxhash.Sum64String(p)) * 0x9e3779b97f4a7c15
	}
	return sum
}

// blockReader cuts a stream of rows into blocks. It runs on a goroutine of its own.
type blockReader struct {
	rows    iter.Seq2[*format.Row, error]
	most    *atomic.Int64 // rows a block may have now; the writer lowers it when transactions take long
	clock   func() time.Time
	used    <-chan *block // blocks that are done with, for their memory
	next    int64
	offsets []int
}

// each calls emit with every block, in order, until the rows end, emit says stop, or an error comes. The first block
// comes even when there are no rows, for its header.
func (r *blockReader) each(ctx context.Context, emit func(*block) bool) error {
	var b *block
	var began time.Time
	emitted := false
	flush := func() bool {
		if b == nil || b.len() == 0 && emitted {
			return true
		}
		r.finish(b)
		emitted = true
		full := b
		b = nil
		return emit(full)
	}
	for row, err := range r.rows {
		if err != nil {
			if ok := flush(); !ok {
				return ctx.Err()
			}
			return err
		}
		if b != nil && b.header != row.Header && b.len() > 0 && !flush() {
			return ctx.Err()
		}
		if b == nil {
			b = r.start(row.Header)
			began = r.clock()
		}
		b.header = row.Header
		if row.Cells == nil && row.Err == nil {
			continue // a source without rows still shows its header
		}
		r.add(b, row)
		full := int64(b.len()) >= r.most.Load() || len(b.text) >= blockBytes || b.len()&63 == 0 && r.clock().Sub(began) > blockTime
		if full && !flush() {
			return ctx.Err()
		}
	}
	if !flush() {
		return ctx.Err()
	}
	return ctx.Err()
}

func (r *blockReader) start(h *format.Header) *block {
	r.offsets = append(r.offsets[:0], 0)
	select {
	case u := <-r.used:
		return &block{first: r.next, header: h, lines: u.lines[:0], cells: u.cells[:0], sound: u.sound[:0], payload: u.payload[:0], sums: u.sums[:0],
			text: u.text[:0], arena: u.arena[:0]}
	default:
	}
	most := int(r.most.Load())
	return &block{first: r.next, header: h, lines: make([]int64, 0, most), cells: make([][]record.Value, 0, most), sound: make([]bool, 0, most)}
}

func (r *blockReader) add(b *block, row *format.Row) {
	n := len(row.Cells)
	if cap(b.arena)-len(b.arena) < n { // the cells so far stay where they are
		b.arena = make([]record.Value, 0, max(n, 2*cap(b.arena), 1024*min(n, 16)))
	}
	at := len(b.arena)
	b.arena = append(b.arena, row.Cells...)
	if row.Err != nil {
		if b.errs == nil {
			b.errs = map[int]*format.RowError{}
		}
		b.errs[b.len()] = row.Err
	}
	b.cells = append(b.cells, b.arena[at:at+n:at+n])
	b.lines = append(b.lines, row.Line)
	b.sound = append(b.sound, row.Sound)
	b.text = appendCells(b.text, row.Cells, row.Sound)
	r.offsets = append(r.offsets, len(b.text))
	r.next++
}

// finish cuts the payloads out of the text, which is not written to before the block is done with.
func (r *blockReader) finish(b *block) {
	b.payload = slices.Grow(b.payload, b.len())
	for i := range b.len() {
		p := b.text[r.offsets[i]:r.offsets[i+1]]
		b.payload = append(b.payload, unsafe.String(unsafe.SliceData(p), len(p)))
	}
}
