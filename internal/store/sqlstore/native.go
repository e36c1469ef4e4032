package sqlstore

/*
#cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
#include "shim.h"
*/
import "C"

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"sync"
	"unicode"
	"unsafe"

	"github.com/mattn/go-sqlite3"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// installNative teaches SQLite the functions of shim.c, once per process: SQLite keeps the list of what every new
// connection gets.
var installNative = sync.OnceValue(func() error {
	from, to := foldPairs()
	if rc := C.hr_install((*C.uint32_t)(&from[0]), (*C.uint32_t)(&to[0]), C.int(len(from))); rc != 0 {
		return fmt.Errorf("sqlite answered %d to the installation of functions", int(rc))
	}
	return nil
})

// foldPairs lists the code points beyond ASCII whose lower case differs, ascending. It is query.Fold as a table.
func foldPairs() (from, to []uint32) {
	for _, c := range unicode.CaseRanges {
		for r := rune(max(c.Lo, unicode.MaxASCII+1)); r <= rune(c.Hi); r++ {
			if lower := unicode.ToLower(r); lower != r {
				from, to = append(from, uint32(r)), append(to, uint32(lower))
			}
		}
	}
	return from, to
}

// native is one SQLite connection beside the Go driver: prepared statements by text, and buffers that are used again.
type native struct {
	db    *C.sqlite3
	ready map[string]*prepared // idle statements
	uses  int                  // of statements, so far
	args  packed
	out   []byte
	lens  []int32
	flags []byte
	pages *C.int // of the log, see watchLog
}

type prepared struct {
	sql     string
	stmt    *C.sqlite3_stmt
	columns int
	used    int // when it was last put back, in uses of the connection
}

// packed is a list of texts and nulls without a pointer in it, so that C may read it where it lies.
type packed struct {
	text []byte
	lens []int32
}

func (p *packed) reset() { p.text, p.lens = p.text[:0], p.lens[:0] }

func (p *packed) add(v record.Value) {
	if !v.Valid {
		p.lens = append(p.lens, -1)
		return
	}
	p.lens = append(p.lens, int32(len(v.Text)))
	p.text = append(p.text, v.Text...)
}

var nothing [1]byte // what an empty list points to: SQLite takes a nil pointer for null

func (p *packed) pointers() (*C.char, *C.int32_t) {
	text, lens := unsafe.Pointer(&nothing[0]), unsafe.Pointer(nil)
	if len(p.text) > 0 {
		text = unsafe.Pointer(&p.text[0])
	}
	if len(p.lens) > 0 {
		lens = unsafe.Pointer(&p.lens[0])
	}
	return (*C.char)(text), (*C.int32_t)(lens)
}

const (
	idleStatements = 200     // per connection; a statement holds a few kB
	fetchRows      = 256     // rows a crossing, at most
	fetchBytes     = 1 << 16 // bytes a crossing, at first
	runRows        = 256     // rows a crossing when writing
)

func newNative(c *sqlite3.SQLiteConn) (*native, error) {
	rows, err := c.Query("SELECT hr_handle()", nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	dest := make([]driver.Value, 1)
	if err := rows.Next(dest); err != nil {
		return nil, err
	}
	handle, _ := dest[0].(int64)
	return &native{db: C.hr_db(C.int64_t(handle)), ready: map[string]*prepared{}}, nil
}

// watchLog keeps count of the pages of the log, and has a commit write it back when it has grown to most pages.
func (n *native) watchLog(most int) error {
	if n.pages = C.hr_watch_log(n.db, C.int(most)); n.pages == nil {
		return fault.New(fault.Internal, "no memory for a connection")
	}
	return nil
}

// unwatchLog comes after the connection is closed.
func (n *native) unwatchLog() { C.hr_unwatch_log(n.pages) }

// logPages is how many pages the log had after the last commit of the connection.
func (n *native) logPages() int { return int(*n.pages) }

func (n *native) close() {
	for _, p := range n.ready {
		C.hr_finalize(p.stmt)
	}
	clear(n.ready)
}

// interruptible interrupts what the connection does when ctx is done, until stop is called. Nothing is interrupted after
// stop has returned: it could hit the statement of another.
func (n *native) interruptible(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	interrupted := make(chan struct{})
	undo := context.AfterFunc(ctx, func() { C.hr_interrupt(n.db); close(interrupted) })
	return func() {
		if !undo() {
			<-interrupted
		}
	}
}

// commit ends the transaction, one way or the other.
func (n *native) commit() error {
	_, err := n.exec("COMMIT", nil)
	if err != nil {
		n.rollback()
	}
	return err
}

// rollback ends the transaction. It fails only where SQLite has rolled back already.
func (n *native) rollback() { _, _ = n.exec("ROLLBACK", nil) }

// failure reads the connection's last error.
func (n *native) failure() error {
	var used C.int
	message := make([]byte, 512)
	code := C.hr_error(n.db, (*C.char)(unsafe.Pointer(&message[0])), C.int(len(message)), &used)
	return &sqliteError{code: int(code), message: string(message[:used])}
}

// take gives the prepared statement of that text; put brings it back. A statement in use twice is prepared twice.
func (n *native) take(sql string) (*prepared, error) {
	if p := n.ready[sql]; p != nil {
		delete(n.ready, sql)
		return p, nil
	}
	p := &prepared{sql: sql}
	var columns C.int
	text := unsafe.StringData(sql)
	if rc := C.hr_prepare(n.db, (*C.char)(unsafe.Pointer(text)), C.int(len(sql)), &p.stmt, &columns); rc != 0 {
		return nil, n.failure()
	}
	p.columns = int(columns)
	return p, nil
}

func (n *native) put(p *prepared) {
	C.hr_reset(p.stmt)
	if n.ready[p.sql] != nil {
		C.hr_finalize(p.stmt)
		return
	}
	if len(n.ready) >= idleStatements {
		n.forget()
	}
	n.uses++
	p.used = n.uses
	n.ready[p.sql] = p
}

// forget gives up the statement that was not used for longest: those that made the tables must not keep out those that
// work on them.
func (n *native) forget() {
	var oldest *prepared
	for _, p := range n.ready {
		if oldest == nil || p.used < oldest.used {
			oldest = p
		}
	}
	delete(n.ready, oldest.sql)
	C.hr_finalize(oldest.stmt)
}

// exec runs a statement once and tells how many rows it changed.
func (n *native) exec(sql string, args []record.Value) (int64, error) {
	p, err := n.take(sql)
	if err != nil {
		return 0, err
	}
	defer n.put(p)
	n.args.reset()
	for _, v := range args {
		n.args.add(v)
	}
	if _, err := n.run(p, 1, len(args), 1, false); err != nil {
		return 0, err
	}
	return int64(C.hr_changes(n.db)), nil
}

// run runs p for each of rows rows packed in n.args and, when asked, flags in n.flags those that changed something.
func (n *native) run(p *prepared, first, width, rows int, flag bool) (int, error) {
	text, lens := n.args.pointers()
	var flags *C.uint8_t
	if flag {
		n.flags = slices.Grow(n.flags[:0], rows)[:rows]
		flags = (*C.uint8_t)(unsafe.Pointer(&n.flags[0]))
	}
	var done C.int
	rc := C.hr_run(p.stmt, text, lens, C.int(first), C.int(width), C.int(rows), flags, &done)
	if int(done) < rows || rc != 0 {
		return int(done), n.failure()
	}
	return rows, nil
}

// bind sets parameters from first on, until the statement is put back.
func (n *native) bind(p *prepared, first int, values []record.Value) error {
	n.args.reset()
	for _, v := range values {
		n.args.add(v)
	}
	text, lens := n.args.pointers()
	if rc := C.hr_bind(p.stmt, text, lens, C.int(first), C.int(len(values))); rc != 0 {
		return n.failure()
	}
	return nil
}

const sqliteRow, sqliteDone = 100, 101

// query yields the rows of a statement until yield says no. The slice is used again; the texts of a row share one
// allocation.
func (n *native) query(sql string, args []record.Value, yield func([]record.Value) bool) error {
	p, err := n.take(sql)
	if err != nil {
		return err
	}
	defer n.put(p)
	if err := n.bind(p, 1, args); err != nil {
		return err
	}
	out, lens := n.takeBuffers(p.columns)
	defer func() { n.out, n.lens = out, lens }()
	row := make([]record.Value, p.columns)
	// Few rows at first: most queries ask for one.
	batch, held := 8, 0
	for {
		var rows, need C.int
		rc := C.hr_fetch(p.stmt, C.int(p.columns), C.int(held), (*C.char)(unsafe.Pointer(&out[0])), C.int(len(out)),
			(*C.int32_t)(unsafe.Pointer(&lens[0])), C.int(batch), &rows, &need)
		if !yieldRows(row, out, lens, int(rows), yield) {
			return nil
		}
		switch {
		case rc == sqliteDone:
			return nil
		case rc != sqliteRow:
			return n.failure()
		case need > 0:
			held = 1
			if int(need) > len(out) {
				out = make([]byte, int(need)+int(need)/4)
			}
		default:
			held = 0
		}
		batch = min(batch*4, fetchRows)
	}
}

// takeBuffers hands out the connection's buffers; a query inside a query finds none and makes its own.
func (n *native) takeBuffers(columns int) ([]byte, []int32) {
	out, lens := n.out, n.lens
	n.out, n.lens = nil, nil
	if out == nil {
		out = make([]byte, fetchBytes)
	}
	if len(lens) < columns*fetchRows {
		lens = make([]int32, columns*fetchRows)
	}
	return out, lens
}

func yieldRows(row []record.Value, out []byte, lens []int32, rows int, yield func([]record.Value) bool) bool {
	w := len(row)
	for ; rows > 0; rows-- {
		size := 0
		for _, l := range lens[:w] {
			size += max(int(l), 0)
		}
		text := string(out[:size])
		out = out[size:]
		for i, l := range lens[:w] {
			if l < 0 {
				row[i] = record.Value{}
				continue
			}
			row[i] = record.Value{Text: text[:l], Valid: true}
			text = text[l:]
		}
		lens = lens[w:]
		if !yield(row) {
			return false
		}
	}
	return true
}
