package datasource

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
)

// files brings in a source of files: those cut off before, then those that are new and ready, the oldest first. It stops
// at the first that fails, so that no file overtakes another.
func (j *job) files(ctx context.Context) (err error) {
	place, err := j.src.kind.Files(j.at(j.src.address))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	tell(j.req.Notes, j.src.warnings(place))
	if err := j.movable(place); err != nil {
		return err
	}
	known, err := j.deliveries(ctx, j.src.id)
	if err != nil {
		return err
	}
	listed, err := j.list(ctx, place, known)
	if err != nil {
		return err
	}
	c, err := j.controls(ctx, listed)
	defer func() { err = errors.Join(err, c.close()) }()
	if err != nil {
		return err
	}
	l := &line{job: j, place: place, controls: c, known: known, listed: listed}
	j.whole = l.isWhole()
	if err := l.pending(ctx); err != nil {
		return err
	}
	if err := l.fresh(ctx); err != nil {
		return err
	}
	j.tell(l.waits)
	return nil
}

// movable refuses folders for files of a place that cannot put files aside.
func (j *job) movable(place source.Files) error {
	if _, can := place.(source.Mover); can || j.src.get("done_folder") == "" && j.src.get("error_folder") == "" {
		return nil
	}
	return fault.New(fault.Invalid, "%s cannot put files aside", j.src.kind.Info.Label).WithHint("leave done_folder and error_folder empty: files that were imported are known")
}

// list gives the files of the source. One file that is not there is nothing new once it has come before.
func (j *job) list(ctx context.Context, place source.Files, known []*delivery) ([]source.File, error) {
	listed, err := place.List(ctx)
	if fault.KindOf(err) == fault.NotFound && err != nil && len(known) > 0 {
		return nil, nil
	}
	return listed, err
}

// tell says what the bringing in came to.
func (j *job) tell(waits string) {
	j.done()
	if waits == "" {
		return
	}
	if j.result.State == StateNothing {
		j.result.State = StateWaiting
	}
	j.result.Message = strings.TrimPrefix(j.result.Message+"; "+waits, "; ")
}

// line is the files of a source, in the order in which they are taken.
type line struct {
	*job
	place    source.Files
	controls *controls
	known    []*delivery
	listed   []source.File
	waits    string // which file the others wait for, and why
}

// pending finishes the files that were fetched, and perhaps begun, before the end of a process.
func (l *line) pending(ctx context.Context) error {
	for _, d := range l.known {
		if d.state != FileFetched || d.Path == rowsPath {
			continue
		}
		if err := l.bring(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// fresh brings in the files that are new.
func (l *line) fresh(ctx context.Context) error {
	all, err := l.candidates(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		why, err := l.ready(ctx, l.controls, f, latest(l.known, f.Path))
		if err != nil {
			return err
		}
		if why != "" {
			if l.waits == "" {
				l.waits = f.Path + ": " + why
			}
			if l.src.get("pick") == "newest" {
				continue // the one before it is the newest that is ready
			}
			return nil // those behind it are not to overtake it
		}
		d := &delivery{File: f, state: FileSeen}
		if last := latest(l.known, f.Path); last != nil && (last.state == FileSeen || last.state == FileFailed) {
			d.record = last.record
		}
		if err := l.bring(ctx, d); err != nil {
			return err
		}
		if l.src.get("pick") == "newest" {
			return nil
		}
	}
	return nil
}

// candidates gives the listed files that were not imported as they are, in the order in which they are to be looked at.
func (l *line) candidates(ctx context.Context) ([]source.File, error) {
	slices.SortFunc(l.listed, byAge)
	var out []source.File
	for _, f := range slices.Clone(l.listed) {
		if l.besides(f) {
			continue
		}
		last := latest(l.known, f.Path)
		if last != nil && !l.req.Restart && identity(f) != "" && unchanged(f, last.File) && last.settled() {
			if err := l.again(ctx, f, last); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, f)
	}
	if l.src.get("pick") != "newest" {
		return out, nil
	}
	out = slices.DeleteFunc(out, l.overtaken)
	slices.Reverse(out)
	return out, nil
}

// besides reports whether a file is no data: a control file, or what was written beside a file that failed.
func (l *line) besides(f source.File) bool {
	return strings.HasSuffix(f.Path, errorSuffix) || l.controls.files != nil && strings.HasSuffix(f.Path, l.controls.suffix)
}

// byAge puts the older file first; files of one moment, or of unknown age, by name.
func byAge(a, b source.File) int {
	if c := a.Modified.Compare(b.Modified); c != 0 {
		return c
	}
	return strings.Compare(a.Path, b.Path)
}

// overtaken reports whether a younger file was imported already.
func (l *line) overtaken(f source.File) bool {
	return !l.req.Restart && slices.ContainsFunc(l.known, func(d *delivery) bool {
		return d.Path != rowsPath && (d.state == FileDone || d.state == FileDuplicate) && byAge(f, d.File) < 0
	})
}

// settled reports whether nothing more is to be done with a file.
func (d *delivery) settled() bool {
	return d.state == FileDone || d.state == FileDuplicate || d.state == FileQuarantined
}

// again puts a file aside that stayed where it was although it is settled.
func (l *line) again(ctx context.Context, f source.File, last *delivery) error {
	if l.src.get("done_folder") == "" || last.state == FileQuarantined {
		return nil
	}
	last.File = f
	return l.putAside(ctx, last, "done_folder")
}

// bring takes one file from where it lies to the target.
func (l *line) bring(ctx context.Context, d *delivery) error {
	err := l.deliver(ctx, d)
	if err != nil {
		err = fault.During(path.Base(d.Path), l.failed(ctx, d, err))
	}
	if l.known = append(l.known, d); err == nil || d.state != FileFetched {
		l.result.Files = append(l.result.Files, FileResult{Path: d.Path, Size: max(d.bytes, d.Size), SHA256: d.sum, State: d.state, Reason: d.reason, Run: d.run})
	}
	return err
}

func (l *line) deliver(ctx context.Context, d *delivery) error {
	if over, err := l.over(ctx, d); err != nil || over {
		return err
	}
	c, p, err := l.have(ctx, d)
	if err != nil {
		return err
	}
	if settled, err := l.cameBefore(ctx, d, c); err != nil || settled {
		return err
	}
	src := importset.Source{Name: l.src.name + "/" + path.Base(d.Path), Size: c.size, Open: c.open, Options: l.src.formatOptions}
	if err := src.Recognise(ctx, l.src.format, l.Formats); err != nil {
		return err
	}
	if err := p.counted(ctx, &src); err != nil {
		return err
	}
	if aside, err := l.agreed(ctx, d, c, &src); err != nil || aside {
		return err
	}
	d.state, d.sum, d.spool = FileFetched, c.sum, c.path
	if err := l.keep(ctx, l.src.id, d); err != nil {
		return err
	}
	run, err := l.importing(ctx, src, func(n int64) error {
		d.run = n
		return l.keep(ctx, l.src.id, d)
	})
	if err != nil {
		return err
	}
	return l.finish(ctx, d, c, run)
}

// over finishes a file whose run was done before the end of a process.
func (l *line) over(ctx context.Context, d *delivery) (bool, error) {
	if d.state != FileFetched || d.run == 0 {
		return false, nil
	}
	run, err := l.Imports.Run(ctx, d.run)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return false, err
	}
	if err != nil || run.State != importset.Done && run.State != importset.Undone {
		return false, nil
	}
	l.result.Runs = append(l.result.Runs, run)
	if err := l.absentAfter(ctx, run); err != nil {
		return true, err
	}
	return true, l.finish(ctx, d, &copied{path: d.spool}, run)
}

// have gives the whole file: the copy that was made before, or a new one that keeps what its control file promises.
func (l *line) have(ctx context.Context, d *delivery) (*copied, promise, error) {
	none := promise{size: -1, rows: -1}
	if d.state == FileFetched {
		if c, err := digest(d.spool); err == nil && c.sum == d.sum {
			return c, none, nil
		}
		if !slices.ContainsFunc(l.listed, func(f source.File) bool { return f.Path == d.Path }) {
			return nil, none, fault.New(fault.NotFound, "the import of %s was cut off; its copy is not on this machine, and the file is gone", d.Path).
				WithHint("have it delivered again: its rows are told from those that are in already by their key")
		}
	}
	p, err := l.promised(ctx, l.controls, d.File)
	if err != nil {
		return nil, p, err
	}
	c, f, err := l.fetch(ctx, l.place, l.src.id, d.File, l.src.formatOptions)
	if err != nil {
		return nil, p, err
	}
	d.File, d.sum, d.bytes = f, c.sum, c.size
	if err := p.kept(c); err != nil {
		c.remove() // the next time it is fetched anew
		return nil, p, err
	}
	return c, p, nil
}

// cameBefore recognises a file by its content.
func (l *line) cameBefore(ctx context.Context, d *delivery, c *copied) (settled bool, err error) {
	rule := l.src.get("redelivery")
	if rule == "process" || l.req.Restart || d.state == FileFetched {
		return false, nil
	}
	before := l.before(d, c.sum)
	if before == nil {
		return false, nil
	}
	if last := latest(l.known, d.Path); d.record == nil && last != nil && last.state == FileDuplicate && last.sum == c.sum {
		d.record = last.record // it is looked at each time, because the place does not show whether it has changed
	}
	d.sum, d.reason = c.sum, fmt.Sprintf("the same bytes came as %s, imported by run %d", path.Base(before.Path), before.run)
	if rule == "reject" {
		c.remove()
		return false, fault.New(fault.Refused, "%s", d.reason).WithHint("set redelivery to skip or process where this is no mistake")
	}
	d.state = FileDuplicate
	c.remove()
	return true, errors.Join(l.putAside(ctx, d, "done_folder"), l.keep(ctx, l.src.id, d))
}

// before finds the delivery that had the bytes of a file; nil when there was none, or what it brought has been written
// over since: by another content of the same place or, where each file is the whole set, by any.
func (l *line) before(d *delivery, sum string) *delivery {
	var same, other *delivery // the newest of each
	for _, k := range l.known {
		switch {
		case k.state != FileDone || k.Path == rowsPath:
		case k.sum == sum:
			same = newer(same, k)
		case k.Path == d.Path || l.src.get("pick") == "newest":
			other = newer(other, k)
		}
	}
	if same == nil || other != nil && other.run > same.run {
		return nil
	}
	return same
}

func newer(a, b *delivery) *delivery {
	if a == nil || b.run > a.run {
		return b
	}
	return a
}

// finish notes that a file is transformed, and only then puts it aside.
func (l *line) finish(ctx context.Context, d *delivery, c *copied, run *importset.Run) error {
	d.state, d.reason = FileDone, ""
	if run.Ledger.Rejected > 0 {
		d.reason = fmt.Sprintf("%d rows rejected", run.Ledger.Rejected)
	}
	if err := l.keep(ctx, l.src.id, d); err != nil {
		return err
	}
	c.remove()
	return l.putAside(ctx, d, "done_folder")
}

// errorSuffix is that of the text beside a file that failed.
const errorSuffix = ".error.txt"

// failed notes that a file could not be imported, and puts it aside where trying again cannot help. Where it may, the
// file stays, and the copy of one whose import has begun with it.
func (l *line) failed(ctx context.Context, d *delivery, cause error) error {
	ctx = context.WithoutCancel(ctx)
	d.reason = cause.Error()
	again := l.passes(ctx, d, cause) || errors.As(cause, new(drifted)) // what has drifted waits where it is until somebody has looked
	if d.state != FileFetched || !again {
		d.state = FileFailed
	}
	err := l.keep(ctx, l.src.id, d)
	if at, failed := l.spoolPath(l.src.id, d.File); !again && failed == nil {
		(&copied{path: at}).remove()
	}
	if again || l.src.get("error_folder") == "" {
		return errors.Join(cause, err)
	}
	if aside := l.putAside(ctx, d, "error_folder"); aside == nil {
		err = errors.Join(err, l.explain(ctx, d, cause))
	} else {
		err = errors.Join(err, aside)
	}
	return errors.Join(cause, err)
}

// putAside moves a file into one of the folders that the source names for that, and its control file with it.
func (l *line) putAside(ctx context.Context, d *delivery, folder string) error {
	to := l.src.get(folder)
	mover, can := l.place.(source.Mover)
	at := slices.IndexFunc(l.listed, func(f source.File) bool { return unchanged(f, d.File) })
	if to == "" || !can || at < 0 { // it was changed or taken away meanwhile: then it is another file
		return nil
	}
	target := beside(d.Path, to)
	if target == path.Clean(d.Path) { // under another name it would be another file the next time
		return l.stays(ctx, d, fault.New(fault.Invalid, "%s is the folder it lies in", folder).WithHint("name another folder"))
	}
	err := mover.Move(ctx, d.File, target)
	if fault.KindOf(err) == fault.Conflict && err != nil && len(d.sum) >= 8 {
		ext := path.Ext(target)
		target = strings.TrimSuffix(target, ext) + "-" + d.sum[:8] + ext // one of that name is there already
		err = mover.Move(ctx, d.File, target)
	}
	if err != nil {
		return l.stays(ctx, d, err)
	}
	l.listed = slices.Delete(l.listed, at, at+1)
	if c, ok := l.controls.of(d.File); ok {
		if err := mover.Move(ctx, c, beside(c.Path, to)); err != nil {
			return l.stays(ctx, d, err)
		}
	}
	return nil
}

// stays notes that a file could not be put aside. Its rows are in, so nothing has failed; the next time it is tried again.
func (l *line) stays(ctx context.Context, d *delivery, err error) error {
	d.reason = strings.TrimPrefix(d.reason+"; it stays where it is: "+err.Error(), "; ")
	if l.req.Notes != nil {
		l.req.Notes(path.Base(d.Path) + " stays where it is: " + err.Error())
	}
	return l.keep(ctx, l.src.id, d)
}

// beside is the path of a file in a folder that is named as seen from the file's own, unless it begins with a slash.
func beside(file, folder string) string {
	if strings.HasPrefix(folder, "/") {
		return path.Join(folder, path.Base(file))
	}
	return path.Join(path.Dir(file), folder, path.Base(file))
}

// explain writes why a file failed beside it.
func (l *line) explain(ctx context.Context, d *delivery, cause error) error {
	putter, can := l.place.(source.Putter)
	if !can {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", cause)
	if hint := fault.HintOf(cause); hint != "" {
		fmt.Fprintf(&b, "%s\n", hint)
	}
	if d.run > 0 {
		fmt.Fprintf(&b, "run %d\n", d.run)
	}
	fmt.Fprintf(&b, "%s, %d bytes", d.Path, max(d.bytes, d.Size))
	if d.sum != "" {
		fmt.Fprintf(&b, ", SHA-256 %s", d.sum)
	}
	b.WriteString("\n")
	return putter.Put(ctx, beside(d.Path, l.src.get("error_folder"))+errorSuffix, strings.NewReader(b.String()), true)
}
