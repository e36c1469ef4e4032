package datasource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// Given is what somebody says of a source beside where it is. Of a saved source it overrules what the record says.
type Given struct {
	Options    format.Options // of the kind of source or of the format, by name
	Format     string         // "" finds it from the content
	User       string
	Password   string
	Credential string // name of a saved one
	// Outside says that the address comes from somebody who is not trusted with this machine and its network: it may only
	// be public, and spoken to over HTTP.
	Outside bool
	Notes   func(string)
}

// Opened is a source that can be imported, inspected and planned. Close removes what was fetched.
type Opened struct {
	importset.Source
	Saved string          // the name of the saved source; "" for others
	Maps  []transform.Def // of the saved source's staging table, if it has some
	Fault error           // why a saved source has no maps
	// Absent is what becomes of records that a saved source does not hold; nil when nothing does, or when what was opened is
	// not all that it holds.
	Absent *importset.AbsentTerms
	end    func() error
}

// Close ends the use of the source.
func (o *Opened) Close() error { return o.end() }

// IsAddress reports whether a reference is an address, not a path or the name of a saved source.
func IsAddress(ref string) bool { return strings.Contains(ref, "://") }

// Show is an address as it may be shown: without what proves who asks.
func (s *Service) Show(ref string) string {
	a, err := s.parse(ref)
	if err != nil {
		scheme, _, _ := strings.Cut(ref, "://")
		return scheme + "://..."
	}
	return a.String()
}

// Open makes something importable of a path, a URL or the name of a saved source. A file is fetched; of several files of a
// saved source it is the one whose turn it is. Nothing is written or remembered: that is what Run does.
func (s *Service) Open(ctx context.Context, ref string, given Given) (*Opened, error) {
	d, err := s.meant(ctx, ref, given)
	if err != nil {
		return nil, err
	}
	formatOptions, err := s.share(d, given.Options)
	if err != nil {
		return nil, err
	}
	out := &Opened{}
	if d.record != nil {
		out.Saved = d.name
		out.Maps, out.Fault = s.mapsOf(ctx, d)
		if d.get("use_last_run_datetime") != "true" && d.since == "" && len(given.Options) == 0 {
			out.Absent = d.absentTerms()
		}
	}
	if d.kind.Rows != nil {
		return out, s.openRows(ctx, d, given.Notes, out)
	}
	return out, s.openFile(ctx, d, formatOptions, given.Notes, out)
}

// meant finds what a reference means.
func (s *Service) meant(ctx context.Context, ref string, given Given) (*saved, error) {
	var d *saved
	switch {
	case IsAddress(ref) || strings.ContainsAny(ref, `/\`):
		a, err := s.parse(ref)
		if err != nil {
			return nil, err
		}
		s.stand("", a)
		a.inside = !given.Outside
		if given.Outside && !a.speaksHTTP() {
			return nil, fault.New(fault.Denied, "%s is read by saved data sources only", a.kind.Info.Label).
				WithHint("an administrator makes a record of %s; name it here", SourceTable)
		}
		d = &saved{address: a, formatOptions: format.Options{}}
	default:
		r, err := s.find(ctx, ref)
		if err != nil {
			return nil, err
		}
		if d, err = s.compile(ctx, r); err != nil {
			return nil, err
		}
		if given.Outside && (given.User != "" || given.Password != "" || given.Credential != "") {
			return nil, fault.New(fault.Denied, "a saved data source has its own credential")
		}
	}
	d.format = cmpOr(given.Format, d.format)
	var err error
	if d.lines, err = format.Named("json", s.Formats); err != nil {
		return nil, err
	}
	return d, s.introduce(ctx, d, given)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// introduce says who asks.
func (s *Service) introduce(ctx context.Context, d *saved, given Given) error {
	d.secret.User = cmpOr(given.User, d.secret.User)
	d.secret.Password = cmpOr(given.Password, d.secret.Password)
	return s.credential(ctx, d.address, given.Credential)
}

// share deals given options to the kind of source and to the format, and gives those of the format. The kind takes what
// it knows; what neither knows is a fault that names the nearest.
func (s *Service) share(d *saved, given format.Options) (format.Options, error) {
	d.options = maps.Clone(d.options)
	formatOptions := maps.Clone(d.formatOptions)
	own, known := fieldNames(d.kind.Info.Options), fieldNames(d.kind.Info.Options)
	var formats []string
	if d.kind.Files != nil {
		for _, f := range s.Formats {
			if d.format == "" || f.Info().Name == d.format {
				formats = append(formats, fieldNames(f.Info().Options)...)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case slices.Contains(own, name):
			d.options[name] = given[name]
		case slices.Contains(formats, name):
			formatOptions[name] = given[name]
		default:
			return nil, unknownOption(name, append(known, formats...), d.kind.Info.Label)
		}
	}
	return formatOptions, d.options.Check(d.kind.Info.Options)
}

// nameOf is what a source that is not saved is called. A database is called by its table too.
func (d *saved) nameOf() string {
	name := d.address.String()
	table := d.options["table"]
	if table == "" || d.kind.Rows == nil {
		return name
	}
	at, query, asked := strings.Cut(name, "?")
	name = strings.TrimSuffix(at, "/") + "/" + strings.ReplaceAll(table, ".", "/")
	if asked {
		name += "?" + query
	}
	return name
}

func (s *Service) openRows(ctx context.Context, d *saved, notes func(string), out *Opened) error {
	place, err := d.kind.Rows(s.at(d.address))
	if err != nil {
		return err
	}
	tell(notes, d.warnings(place))
	d.name = cmpOr(d.name, d.nameOf())
	t := &tide{place: place, since: d.since}
	out.end = place.Close
	if !d.kind.Info.Spool {
		out.Source = d.live(t)
		return nil
	}
	c, err := s.gatherOnce(ctx, t)
	if err == nil {
		out.Source = d.collected(c)
		out.end = func() error { return errors.Join(place.Close(), os.Remove(c.path)) }
		return nil
	}
	return errors.Join(err, place.Close())
}

// gatherOnce collects rows for one use.
func (s *Service) gatherOnce(ctx context.Context, t *tide) (*copied, error) {
	temporary, err := s.temporary("rows.ndjson")
	if err != nil {
		return nil, err
	}
	n, err := gather(ctx, t, temporary)
	if err == nil && n == 0 {
		err = fault.New(fault.Invalid, "the source has no rows")
	}
	if err != nil {
		return nil, errors.Join(err, ignoreMissing(os.Remove(temporary)))
	}
	return digest(temporary)
}

// temporary names a file of the spool that nobody else uses.
func (s *Service) temporary(suffix string) (string, error) {
	if err := os.MkdirAll(s.Spool, 0o700); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the folder for fetched files cannot be made")
	}
	f, err := os.CreateTemp(s.Spool, "once-*-"+suffixes(suffix))
	if err != nil {
		return "", unspooled(err)
	}
	return f.Name(), closing(f, nil)
}

func (s *Service) openFile(ctx context.Context, d *saved, options format.Options, notes func(string), out *Opened) (err error) {
	place, err := d.kind.Files(s.at(d.address))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	tell(notes, d.warnings(place))
	f, err := s.choose(ctx, d, place)
	if err != nil {
		return err
	}
	if d.parts {
		out.Absent = nil
	}
	c, _, err := s.fetch(ctx, place, "once "+record.NewID(), f, options)
	if err != nil {
		return err
	}
	out.end = func() error { return os.Remove(c.path) }
	name := d.address.String()
	if d.name != "" {
		name = d.name + "/" + path.Base(f.Path)
	} else if !d.speaksHTTP() {
		name = d.url.Scheme + "://" + d.url.Host + "/" + strings.TrimPrefix(f.Path, "/")
	}
	out.Source = importset.Source{Name: name, Size: c.size, Open: c.open, Options: options}
	if err := out.Recognise(ctx, d.format, s.Formats); err != nil {
		return errors.Join(err, out.Close())
	}
	return nil
}

// choose picks the one file that is meant: of a saved source the one whose turn it is, else the only one.
func (s *Service) choose(ctx context.Context, d *saved, place source.Files) (source.File, error) {
	listed, err := place.List(ctx)
	if err != nil {
		return source.File{}, err
	}
	slices.SortFunc(listed, byAge)
	if d.record != nil && len(listed) > 1 {
		j := &job{Service: s, src: d}
		known, err := s.deliveries(ctx, d.id)
		if err != nil {
			return source.File{}, err
		}
		c, err := j.controls(ctx, listed)
		if err := errors.Join(err, c.close()); err != nil {
			return source.File{}, err
		}
		l := &line{job: j, place: place, controls: c, known: known, listed: listed}
		d.parts = !l.isWhole()
		return turn(l), nil
	}
	switch {
	case len(listed) == 0:
		return source.File{}, fault.New(fault.NotFound, "there is no file at %s", d.address).WithHint("check the folder and the pattern")
	case len(listed) > 1:
		return source.File{}, fault.New(fault.Invalid, "%d files are meant: %s", len(listed), some(listed)).
			WithHint("name one of them, or save a data source, which takes all in order")
	}
	return listed[0], nil
}

// turn is the file that a Run would take first, or the newest when there is nothing new.
func turn(l *line) source.File {
	var data []source.File
	for _, f := range l.listed {
		if last := latest(l.known, f.Path); !l.besides(f) && (last == nil || !last.settled() || !unchanged(f, last.File)) {
			data = append(data, f)
		}
	}
	switch {
	case len(data) == 0:
		return l.listed[len(l.listed)-1]
	case l.src.get("pick") == "newest":
		return data[len(data)-1]
	}
	return data[0]
}

func some(files []source.File) string {
	const most = 5
	var names []string
	for _, f := range files[:min(len(files), most)] {
		names = append(names, path.Base(f.Path))
	}
	if more := len(files) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// stream is a file as it lies there, read as far as somebody looks at it.
func stream(place source.Files, f source.File) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return place.Open(ctx, f, 0) }
}

// first gives the first n rows of a sequence.
func first(rows iter.Seq2[*format.Row, error], n int) (*Sampled, error) {
	out := &Sampled{Columns: []string{}, Rows: [][]record.Value{}}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		out.Columns, out.Notes = row.Header.Columns, row.Header.Notes
		if row.Cells == nil && row.Err == nil {
			continue
		}
		cells := make([]record.Value, len(out.Columns))
		copy(cells, row.Cells)
		if out.Rows = append(out.Rows, cells); len(out.Rows) >= n {
			break
		}
	}
	return out, nil
}
