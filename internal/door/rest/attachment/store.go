package attachment

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// States of a file.
const (
	statePending   = "pending"
	stateAvailable = "available"
)

// A file is cut into pieces of chunkBytes. Each is packed and written in a transaction of its own, so that memory is
// bounded and nobody waits for a writer long.
const (
	chunkBytes = 1 << 20
	// mostField is the most bytes of a field of a form.
	mostField = 4096
)

type reader = io.Reader

// incoming is a file on its way in.
type incoming struct{ table, id, name, kind, encryption string }

func readShort(part io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, mostField))
	if err != nil {
		return "", wire.Unreadable("the form ends too early: %v", err)
	}
	return string(text), nil
}

// may makes sure that the caller may do that with the record a file is at.
func (a *api) may(r *wire.Request, table, id string, want record.Access) error {
	t, err := r.Table(table)
	if err != nil {
		return err
	}
	if _, err := r.Session.Get(r.Context(), t, id); err != nil || want == record.Read {
		return err
	}
	permit, err := r.Session.Permit(r.Context(), t, want)
	if err != nil || permit.Free() {
		return err
	}
	if !permit.Denied {
		n, err := r.Session.Trusted().Count(r.Context(), t, &query.And{Parts: []query.Node{permit.Where, equal(record.SysID, id)}})
		if err != nil || n > 0 {
			return err
		}
	}
	return fault.New(fault.Denied, "%s", record.DeniedUpdate)
}

func equal(field, value string) *query.Term {
	return &query.Term{Field: field, Op: query.Equal, Values: []string{value}}
}

// store writes a file, piece by piece. Until all of it is there its state is pending and nobody sees it; one that breaks
// off is removed again.
func (a *api) store(ctx context.Context, s record.Session, in incoming, body io.Reader, length int64) (*record.Record, error) {
	f, err := s.Insert(ctx, a.files(), []record.Assignment{text("table_name", in.table), text("table_sys_id", in.id), text("file_name", in.name),
		text("content_type", in.kind), text("encryption_context", in.encryption), text("state", statePending), text("compressed", "true"),
		text("chunk_size_bytes", strconv.Itoa(chunkBytes))})
	if err != nil {
		return nil, err
	}
	in2 := &pieces{api: a, session: s, id: f.ID(), left: a.most}
	err = in2.copy(ctx, body)
	if err == nil && length >= 0 && in2.size != length {
		err = wire.Unreadable("%d bytes came of %d", in2.size, length)
	}
	if err == nil {
		f, _, err = s.Update(ctx, a.files(), f.ID(), []record.Assignment{text("state", stateAvailable), text("hash", hex.EncodeToString(in2.sum)),
			text("size_bytes", strconv.FormatInt(in2.size, 10)), text("size_compressed", strconv.FormatInt(in2.packed, 10))})
	}
	if err != nil {
		return nil, errors.Join(err, Remove(context.WithoutCancel(ctx), a.deps.DB, s.Actor(), in2.id))
	}
	return f, nil
}

func text(field, value string) record.Assignment {
	return record.Assignment{Field: field, Value: record.Value{Text: value, Valid: value != ""}}
}

// pieces writes the pieces of one file.
type pieces struct {
	*api
	session      record.Session
	id           string
	left         int64 // how many bytes may still come
	position     int
	size, packed int64
	sum          []byte
	buf          bytes.Buffer
}

func (p *pieces) copy(ctx context.Context, body io.Reader) error {
	sum, chunk := sha256.New(), make([]byte, chunkBytes)
	for {
		n, err := fill(body, chunk)
		if p.left -= int64(n); p.left < 0 {
			return fault.New(fault.Limit, "the file is larger than %d bytes", p.most)
		}
		if n > 0 {
			sum.Write(chunk[:n])
			if err := p.write(ctx, chunk[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			p.sum = sum.Sum(nil)
			return nil
		case err != nil:
			return wire.Unreadable("the file did not arrive whole: %v", err)
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
	return p.session.Write(ctx, func(w *record.Writer) error { return w.InsertRows(ctx, p.docs(), rows) })
}

func (a *api) docs() *record.Table { return a.deps.DB.Catalog().Table(DocTable) }

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}
