package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// written is what is known of a file that was made.
type written struct {
	rows, bytes int64
	sum         hash.Hash
	high        string // the latest sys_updated_on in it
	file        *os.File
}

// Write makes written the end of all bytes of the file: it counts them and sums them up.
func (w *written) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.bytes += int64(n)
	w.sum.Write(p[:n])
	return n, err
}

// make writes the file of a run aside in the spool and then gives it its name there. One that was not finished, because
// the process ended, is made anew.
func (s *Service) make(ctx context.Context, j *job) error {
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return ctx.Err()
	}
	w, err := s.write(ctx, j)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return s.fail(ctx, j, err)
	case w.rows == 0 && j.def.text("on_zero_rows") == "fail":
		return s.fail(ctx, j, fault.New(fault.Refused, "export set %s found no records", j.def.name).WithHint("its field on_zero_rows says that this is a failure"))
	case w.rows == 0 && j.def.text("on_zero_rows") == "skip":
		return errors.Join(s.forget(j.ID()), s.set(ctx, j, map[string]string{"state": string(Empty), "rows_written": "0", "reason": "no_records", "completed": s.now()}))
	}
	return s.keep(ctx, j, w)
}

func (s *Service) now() string { return stamp(s.cfg.Clock()) }

// fail ends a run whose file could not be made. Nothing of it was sent.
func (s *Service) fail(ctx context.Context, j *job, cause error) error {
	j.cause = cause
	return errors.Join(s.forget(j.ID()), s.set(ctx, j, map[string]string{"state": string(Failed), "reason": fault.KindOf(cause).String(), "error": cause.Error(), "completed": s.now()}))
}

// keep gives a whole file its place in the spool, and says so in the run.
func (s *Service) keep(ctx context.Context, j *job, w *written) error {
	name, err := j.def.fileName(s.cfg.Clock(), int(j.number("sequence")))
	if err != nil {
		return s.fail(ctx, j, err)
	}
	policy, err := s.cfg.Outbound.Policy(ctx, j.def.text("delivery_policy"))
	if err != nil {
		return s.fail(ctx, j, j.def.wrong("delivery_policy", err))
	}
	if err := os.Rename(s.path(j.ID())+partial, s.path(j.ID())); err != nil {
		return s.fail(ctx, j, s.unspooled(err))
	}
	if err := syncFolder(s.cfg.Spool); err != nil {
		return s.fail(ctx, j, s.unspooled(err))
	}
	return s.set(ctx, j, map[string]string{"state": string(Ready), "rows_written": strconv.FormatInt(w.rows, 10), "bytes": strconv.FormatInt(w.bytes, 10),
		"sha256": hex.EncodeToString(w.sum.Sum(nil)), "high": w.high, "made": s.now(), "file_name": name, "bytes_kept": "true",
		"expires": stamp(s.cfg.Clock().Add(policy.MaxAge()))})
}

// syncFolder makes a new name outlive a loss of power.
func syncFolder(folder string) error {
	d, err := os.Open(filepath.Clean(folder))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write reads the records and writes them to a file that is not whole until this returns without an error.
func (s *Service) write(ctx context.Context, j *job) (w *written, err error) {
	r, err := s.compile(ctx, j.def, j.text("run_as"))
	if err == nil {
		err = r.since(j)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path(j.ID())+partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, s.unspooled(err)
	}
	w = &written{sum: sha256.New(), file: f}
	err = r.write(ctx, w, j.def.is("zipped"))
	w.capped(s.cfg.DB.Now())
	for _, end := range []func() error{f.Sync, f.Close} {
		if ending := end(); ending != nil && err == nil {
			err = ending
		}
	}
	var disk *os.PathError
	if errors.As(err, &disk) {
		err = s.unspooled(err)
	}
	return w, err
}

// write writes all records in the format of the set, packed where it says so. The packed bytes tell no time, so that they
// depend on the records alone.
func (r *reader) write(ctx context.Context, w *written, zipped bool) error {
	heads := make([]string, len(r.columns))
	for i := range r.columns {
		heads[i] = r.columns[i].head
	}
	if !zipped {
		return r.writer.Write(ctx, w, heads, r.rows(ctx, w), r.options)
	}
	z := gzip.NewWriter(w)
	err := r.writer.Write(ctx, z, heads, r.rows(ctx, w), r.options)
	if ending := z.Close(); err == nil {
		err = ending
	}
	return err
}

// since narrows an incremental run to what changed since the last one that was delivered, less the overlap. It has to ask
// for the stamps too, to know where the next one begins.
func (r *reader) since(j *job) error {
	if !j.is("incremental") {
		return nil
	}
	if r.table.Field(record.SysUpdatedOn) == nil {
		return j.def.bad("incremental", "records of table %s tell no time of their last change", r.table.Name)
	}
	r.stamp = r.fetch(record.SysUpdatedOn)
	overlap, err := j.def.duration("overlap")
	if err != nil || j.text("since") == "" {
		return err
	}
	from := stamp(j.when("since").Add(-overlap))
	changed := &query.Term{Field: record.SysUpdatedOn, Op: query.GreaterEqual, Values: []string{from}}
	if r.query.Where == nil {
		r.query.Where = changed
	} else {
		r.query.Where = both(r.query.Where, changed)
	}
	return nil
}

// capped keeps a mark from lying in the future: a record whose clock was fast must not hide those that others change
// meanwhile.
func (w *written) capped(now time.Time) {
	if latest := stamp(now); w.high > latest {
		w.high = latest
	}
}

// rows reads the records in one consistent view, and lays their values out in columns.
func (r *reader) rows(ctx context.Context, w *written) iter.Seq2[[]record.Value, error] {
	return func(yield func([]record.Value, error) bool) {
		cells := make([]record.Value, len(r.columns))
		names := &names{session: r.session, catalog: r.table.Catalog(), known: map[string]string{}}
		for row, err := range r.session.Select(ctx, r.query) {
			for i := 0; err == nil && i < len(cells); i++ {
				cells[i], err = r.cell(ctx, &r.columns[i], row[r.columns[i].at], names)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			w.rows++
			if r.stamp >= 0 {
				w.high = max(w.high, row[r.stamp].Text)
			}
			if !yield(cells, nil) {
				return
			}
		}
	}
}

// cell is a value as it is written.
func (r *reader) cell(ctx context.Context, c *column, v record.Value, names *names) (record.Value, error) {
	if !c.shown || v.Text == "" {
		return v, nil
	}
	if c.field.Type == record.List && c.field.Reference != "" {
		text, err := names.list(ctx, c.field.Reference, v.Text)
		return record.Text(text), err
	}
	return record.Text(c.field.Shown(r.table.Catalog(), v.Text, r.zone)), nil
}

// names tells what records are called that lists refer to.
type names struct {
	session record.Session
	catalog *record.Catalog
	known   map[string]string // table and id -> name
}

// mostNames bounds how many names are kept.
const mostNames = 10_000

// list puts names in the place of ids; an id that leads nowhere, or to what may not be read, stays.
func (n *names) list(ctx context.Context, table, ids string) (string, error) {
	t := n.catalog.Table(table)
	if t == nil || t.Field(record.SysID) == nil {
		return ids, nil
	}
	out := strings.Split(ids, ",")
	for i, id := range out {
		name, err := n.of(ctx, t, id)
		if err != nil {
			return "", err
		}
		out[i] = name
	}
	return strings.Join(out, ", "), nil
}

func (n *names) of(ctx context.Context, t *record.Table, id string) (string, error) {
	at := t.Name + " " + id
	if name, ok := n.known[at]; ok {
		return name, nil
	}
	if len(n.known) >= mostNames {
		clear(n.known)
	}
	n.known[at] = id
	for row, err := range n.session.Select(ctx, &record.Query{Table: t, Fields: []string{t.DisplayField().Name}, Where: equal(record.SysID, id), Limit: 1}) {
		if err != nil {
			return "", err
		}
		if row[0].Text != "" {
			n.known[at] = row[0].Text
		}
	}
	return n.known[at], nil
}
