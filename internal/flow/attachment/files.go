// Package attachment keeps files beside records: cut into pieces, each packed, so that memory stays bounded whatever a
// file's size. Who may see or add them is for its callers to decide.
package attachment

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Names of the tables that hold files and their pieces.
const (
	Table    = "sys_attachment"
	DocTable = "sys_attachment_doc"
)

// States of a file. One that is pending is not all there yet, and nobody sees it.
const (
	Pending   = "pending"
	Available = "available"
)

// DefaultMost is the most bytes of one file: the platform's default of com.glide.attachment.max_size.
const DefaultMost = 1024 << 20

// chunkBytes is the size of a piece before it is packed.
const chunkBytes = 1 << 20

// Files keeps files in a database.
type Files struct {
	DB   *record.DB
	Most int64 // the most bytes of one file
}

// New keeps files of the usual size in db.
func New(db *record.DB) *Files { return &Files{DB: db, Most: DefaultMost} }

// File says where a file belongs and what it is.
type File struct {
	Table, ID  string // the record it is at
	Name, Type string
	Encryption string
}

// Transactions is how files are read and written: each call in a transaction of its own, or all in one that is open.
type Transactions interface {
	Read(fn func(record.Tx) error) error
	Write(fn func(*record.Writer) error) error
}

// Apart gives each step a transaction of its own, so that nobody waits for a writer long.
func Apart(ctx context.Context, db *record.DB, s record.Session) Transactions {
	return apart{ctx, db, s}
}

type apart struct {
	ctx context.Context
	db  *record.DB
	s   record.Session
}

func (a apart) Read(fn func(record.Tx) error) error { return a.db.Store().Read(a.ctx, fn) }

func (a apart) Write(fn func(*record.Writer) error) error { return a.s.Write(a.ctx, fn) }

func (f *Files) files() *record.Table { return f.DB.Catalog().Table(Table) }

func (f *Files) docs() *record.Table { return f.DB.Catalog().Table(DocTable) }

// Put writes a file, piece by piece, and gives its record. Until all of it is there its state is Pending; one that breaks
// off is removed again. Errors of body come back as they are.
func (f *Files) Put(ctx context.Context, in Transactions, file File, body io.Reader) (*record.Record, error) {
	made, err := f.begin(ctx, in, file)
	if err != nil {
		return nil, err
	}
	p := &pieces{Files: f, in: in, id: made.ID(), left: f.Most, sum: sha256.New()}
	if err = p.copy(ctx, body); err == nil {
		made, err = p.end(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, f.remove(ctx, in, p.id))
	}
	return made, nil
}

// remove takes back what was written of a file, even when the caller has gone.
func (f *Files) remove(ctx context.Context, in Transactions, id string) error {
	ctx = context.WithoutCancel(ctx)
	if a, ok := in.(apart); ok {
		in = Apart(ctx, a.db, a.s)
	}
	return in.Write(func(w *record.Writer) error { return Remove(ctx, f.DB, w, id) })
}

func (f *Files) begin(ctx context.Context, in Transactions, file File) (made *record.Record, err error) {
	err = in.Write(func(w *record.Writer) error {
		made, err = w.Insert(ctx, f.files(), []record.Assignment{text("table_name", file.Table), text("table_sys_id", file.ID), text("file_name", file.Name),
			text("content_type", file.Type), text("encryption_context", file.Encryption), text("state", Pending), text("compressed", "true"),
			text("chunk_size_bytes", strconv.Itoa(chunkBytes))})
		return err
	})
	return made, err
}

func text(field, value string) record.Assignment {
	return record.Assignment{Field: field, Value: record.Value{Text: value, Valid: value != ""}}
}

func equal(field, value string) *query.Term {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

// pieces writes the pieces of one file.
type pieces struct {
	*Files
	in           Transactions
	id           string
	left         int64 // how many bytes may still come
	position     int
	size, packed int64
	sum          hash.Hash
	buf          bytes.Buffer
}

func (p *pieces) copy(ctx context.Context, body io.Reader) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := fill(body, chunk)
		if p.left -= int64(n); p.left < 0 {
			return fault.New(fault.Limit, "the file is larger than %d bytes", p.Most)
		}
		if n > 0 {
			p.sum.Write(chunk[:n])
			if err := p.write(ctx, chunk[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until b is full. Unlike io.ReadFull it tells the end of the body from a body that was cut off.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// write packs a piece and adds it. Pieces are content and no records of anybody's: they leave no change rows, which would
// keep each byte a second time when a file is removed.
func (p *pieces) write(ctx context.Context, chunk []byte) error {
	p.buf.Reset()
	encode := base64.NewEncoder(base64.StdEncoding, &p.buf)
	count := &counter{to: encode}
	pack, err := gzip.NewWriterLevel(count, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := pack.Write(chunk); err != nil {
		return err
	}
	if err := errors.Join(pack.Close(), encode.Close()); err != nil {
		return err
	}
	rows := &record.Rows{Fields: []string{record.SysID, Table, "position", "length", "data"},
		Values: []record.Value{record.Text(record.NewID()), record.Text(p.id), record.Text(strconv.Itoa(p.position)), record.Text(strconv.Itoa(len(chunk))), record.Text(p.buf.String())}}
	p.position++
	p.size, p.packed = p.size+int64(len(chunk)), p.packed+count.n
	return p.in.Write(func(w *record.Writer) error { return w.InsertRows(ctx, p.docs(), rows) })
}

// end says that the file is whole.
func (p *pieces) end(ctx context.Context) (made *record.Record, err error) {
	err = p.in.Write(func(w *record.Writer) error {
		made, _, err = w.Update(ctx, p.files(), p.id, []record.Assignment{text("state", Available), text("hash", hex.EncodeToString(p.sum.Sum(nil))),
			text("size_bytes", strconv.FormatInt(p.size, 10)), text("size_compressed", strconv.FormatInt(p.packed, 10))})
		return err
	})
	return made, err
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// Remove deletes a file and its pieces.
func Remove(ctx context.Context, db *record.DB, w *record.Writer, id string) error {
	docs := db.Catalog().Table(DocTable)
	var ids []record.Value
	for row, err := range w.Tx().Select(ctx, &record.Query{Table: docs, Fields: []string{record.SysID}, Where: equal(Table, id)}) {
		if err != nil {
			return err
		}
		ids = append(ids, row[0])
	}
	if len(ids) > 0 {
		if _, err := w.Tx().Delete(ctx, docs, ids); err != nil {
			return err
		}
	}
	return w.Delete(ctx, db.Catalog().Table(Table), id)
}

// Send writes the bytes of a file from one position to another, a piece at a time; to is exclusive.
func (f *Files) Send(ctx context.Context, in Transactions, w io.Writer, file *record.Record, from, to int64) error {
	chunk, err := strconv.ParseInt(file.Get("chunk_size_bytes").Text, 10, 64)
	if err != nil || chunk <= 0 {
		return fault.New(fault.Internal, "file %s does not say how it is cut", file.ID())
	}
	for at := from; at < to; {
		n := at / chunk
		piece, err := f.piece(ctx, in, file.ID(), n)
		if err != nil {
			return err
		}
		end := min(to, (n+1)*chunk)
		if _, err := io.CopyN(io.Discard, piece, at-n*chunk); err != nil {
			return err
		}
		if _, err := io.CopyN(w, piece, end-at); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// piece reads and unpacks one piece of a file.
func (f *Files) piece(ctx context.Context, in Transactions, id string, n int64) (io.Reader, error) {
	q := &record.Query{Table: f.docs(), Fields: []string{"data"}, Where: &query.And{Parts: []query.Node{equal(Table, id), equal("position", strconv.FormatInt(n, 10))}}}
	data, found := "", false
	err := in.Read(func(tx record.Tx) error {
		for row, err := range tx.Select(ctx, q) {
			if err != nil {
				return err
			}
			data, found = row[0].Text, true
		}
		return nil
	})
	if err == nil && !found {
		err = fault.New(fault.Internal, "piece %d of file %s is missing", n, id)
	}
	if err != nil {
		return nil, err
	}
	return gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
}
