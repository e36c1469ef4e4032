package datasource

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
)

// tide is the rows of a place that keeps no bytes: every reading begins anew, where the last transform ended.
type tide struct {
	place source.Rows
	since string
	ended *source.Reading // the last reading that came to its end
}

// rows yields one reading. One that gives fewer rows than the source says there are is an error.
func (t *tide) rows(ctx context.Context) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		r := t.place.Read(ctx, t.since)
		n := int64(0)
		for row, err := range r.Rows {
			if err == nil && (row.Cells != nil || row.Err != nil) {
				n++
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		if total := r.Total(); total > n {
			yield(nil, fault.New(fault.Unavailable, "the source says it has %d rows, and gave %d", total, n).
				WithHint("rows moved while they were read: a stable order, a watermark or an overlap keeps them together"))
			return
		}
		t.ended = r
	}
}

// mark is where the next reading goes on, if a reading has come to its end.
func (t *tide) mark() string {
	if t.ended == nil {
		return ""
	}
	return t.ended.High()
}

// rows brings in a source of rows.
func (j *job) rows(ctx context.Context) error {
	place, err := j.src.kind.Rows(j.at(j.src.address))
	if err != nil {
		return err
	}
	tell(j.req.Notes, j.src.warnings(place))
	err = j.flow(ctx, place)
	if closing := place.Close(); err == nil {
		err = closing
	}
	return err
}

func (j *job) flow(ctx context.Context, place source.Rows) error {
	if !j.src.kind.Info.Spool {
		return j.live(ctx, place)
	}
	if err := j.left(ctx); err != nil {
		return err
	}
	return j.gathered(ctx, place)
}

// live lets rows through as they come.
func (j *job) live(ctx context.Context, place source.Rows) error {
	t := &tide{place: place, since: j.src.since}
	src := j.src.live(t)
	src.Live, j.whole = j.held(src.Live), true
	run, err := j.importing(ctx, src, nil)
	if err != nil || run == nil {
		return err
	}
	return j.settleRows(ctx, run, t.mark())
}

// live is a source over rows that come without bytes. Its options are part of it: another query is another import.
func (d *saved) live(t *tide) importset.Source {
	return importset.Source{Name: d.name, Size: -1, Kind: d.kind.Info.Name, Options: d.options, Live: t.rows}
}

// settleRows remembers how far the rows are transformed, once they are.
func (j *job) settleRows(ctx context.Context, run *importset.Run, mark string) error {
	j.done()
	if run.State != importset.Done || run.Ledger.Rejected > 0 && j.src.get("on_rejected") == "hold" || j.src.get("use_last_run_datetime") != "true" {
		return nil
	}
	var err error
	j.result.Mark, err = j.advance(ctx, j.src, mark)
	return err
}

// left finishes what was gathered before the end of a process.
func (j *job) left(ctx context.Context) error {
	known, err := j.deliveries(ctx, j.src.id)
	if err != nil {
		return err
	}
	for _, d := range known {
		if d.Path != rowsPath || d.state != FileFetched {
			continue
		}
		c, err := digest(d.spool)
		if err != nil || c.sum != d.sum { // on another machine, or swept away: it is gathered anew
			d.state, d.reason = FileFailed, "the gathered rows are not here any more; they were gathered anew"
			if err := j.keep(ctx, j.src.id, d); err != nil {
				return err
			}
			continue
		}
		if err := j.pour(ctx, d, c); err != nil {
			return err
		}
		j.src.since = cmpOr(j.result.Mark, j.src.since)
	}
	return nil
}

// gathered collects all rows before the first is used, then imports them.
func (j *job) gathered(ctx context.Context, place source.Rows) error {
	t := &tide{place: place, since: j.src.since}
	path, err := j.spoolPath(j.src.id, source.File{Path: "rows.ndjson"})
	if err != nil {
		return err
	}
	n, err := gather(ctx, t, path)
	if err != nil || n == 0 {
		return err
	}
	c, err := digest(path)
	if err != nil {
		return err
	}
	d := &delivery{File: source.File{Path: rowsPath, Size: c.size}, state: FileFetched, sum: c.sum, spool: path, since: t.since, mark: t.mark()}
	if err := j.keep(ctx, j.src.id, d); err != nil {
		return err
	}
	return j.pour(ctx, d, c)
}

// pour imports gathered rows. Where trying again cannot help they are given up, and gathered anew the next time.
func (j *job) pour(ctx context.Context, d *delivery, c *copied) error {
	err := j.poured(ctx, d, c)
	if err == nil || j.passes(context.WithoutCancel(ctx), d, err) {
		return err
	}
	d.state, d.reason = FileFailed, err.Error()
	c.remove()
	return errors.Join(err, j.keep(ctx, j.src.id, d))
}

// passing reports whether trying again may help against an error.
func passing(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Canceled, fault.Internal, fault.Denied:
		return true
	}
	return false
}

// passes is passing of an error about a delivery: that another process is at it still passes too.
func (j *job) passes(ctx context.Context, d *delivery, err error) bool {
	if fault.KindOf(err) != fault.Conflict || d.run == 0 || errors.Is(err, errLost) {
		return passing(err) || errors.Is(err, errLost)
	}
	run, gone := j.Imports.Run(ctx, d.run)
	return gone == nil && run.State == importset.Running
}

func (j *job) poured(ctx context.Context, d *delivery, c *copied) error {
	src := j.src.collected(c)
	came, err := observe(ctx, &src)
	if err == nil {
		j.whole, err = true, j.agree(ctx, came)
	}
	if err != nil {
		return err
	}
	run, err := j.importing(ctx, src, func(n int64) error {
		d.run = n
		return j.keep(ctx, j.src.id, d)
	})
	if err != nil {
		return err
	}
	mark := d.mark
	if d.since != j.src.since { // somebody has set another one since they were gathered
		mark = ""
	}
	if err := j.settleRows(ctx, run, mark); err != nil {
		return err
	}
	d.state = FileDone
	if err := j.keep(ctx, j.src.id, d); err != nil {
		return err
	}
	c.remove()
	return nil
}

// collected is a source over gathered rows.
func (d *saved) collected(c *copied) importset.Source {
	return importset.Source{Name: d.name, Size: c.size, Open: c.open, Format: d.lines, Options: format.Options{"path": "/"}, Kind: d.kind.Info.Name}
}

// gather writes one reading as JSON, an object a line, and tells how many rows there were.
func gather(ctx context.Context, t *tide, path string) (n int64, err error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, unspooled(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	var names [][]byte
	var header *format.Header
	for row, err := range t.rows(ctx) {
		if err != nil {
			return n, closing(f, err)
		}
		if row.Err != nil {
			return n, closing(f, fault.New(fault.Invalid, "row %d cannot be read: %s", row.Line, row.Err.Msg))
		}
		if row.Header != header {
			header = row.Header
			names = quoted(header.Columns[:], names[:0])
		}
		if row.Cells == nil {
			continue
		}
		n++
		writeRow(out, names, row)
	}
	err = out.Flush()
	if err != nil {
		err = unspooled(err)
	}
	return n, closing(f, err)
}

func closing(f *os.File, err error) error {
	if failed := f.Close(); err == nil && failed != nil {
		return unspooled(failed)
	}
	return err
}

func quoted(columns []string, into [][]byte) [][]byte {
	for _, c := range columns {
		into = append(into, quote(c))
	}
	return into
}

// quote writes a text as JSON. No text fails.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}

// writeRow writes one row. A full disk shows when the writer is flushed.
func writeRow(w *bufio.Writer, names [][]byte, row *format.Row) {
	_ = w.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = w.Write(name)
		_ = w.WriteByte(':')
		if i < len(row.Cells) && row.Cells[i].Valid {
			_, _ = w.Write(quote(row.Cells[i].Text))
		} else {
			_, _ = w.WriteString("null")
		}
	}
	_, _ = w.WriteString("}\n")
}
