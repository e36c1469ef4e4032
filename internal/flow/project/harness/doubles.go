package harness

import (
	"context"
	"io"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
	"headrace/internal/connect/source/sqldb"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/export"
)

// doubles are what a test has in the place of addresses, by the name of the data source or export set.
type doubles struct {
	home  string // the folder that all are in
	all   map[string]double
	clock func() time.Time
}

// root is the folder that stands for a whole place: an address /in/a.csv means in/a.csv of it.
func (d *doubles) root(name string) string { return filepath.Join(d.home, url.PathEscape(name)) }

// database is the file that stands for a database.
func (d *doubles) database(name string) string { return d.root(name) + ".db" }

// hide takes out of a text where the doubles are on this machine.
func (d *doubles) hide(text string) string {
	for name := range d.all {
		text = strings.ReplaceAll(strings.ReplaceAll(text, d.database(name), name), d.root(name)+"/", "/")
	}
	return text
}

// stand puts the double of that name in the place of a kind of source. Kinds that speak HTTP need none: their requests go to
// the partner. Others without one are refused, for nothing leaves the machine.
func (d *doubles) stand(name string, k source.Kind) source.Kind {
	has, is := d.all[name]
	web := slices.ContainsFunc(k.Info.Schemes, func(s string) bool { return strings.Contains(s, "http") })
	switch {
	case !is && web:
		return k
	case !is && k.Files != nil:
		return refusing(k, fault.New(fault.Invalid, "the test has no double of %s (%s)", name, k.Info.Label).WithHint("doubles: {%s: {files: {name.csv: text}}}", name))
	case !is:
		return refusing(k, fault.New(fault.Invalid, "the test has no double of %s (%s)", name, k.Info.Label).WithHint("doubles: {%s: {sql: \"create table ...\"}}", name))
	case k.Files != nil && has.SQL == nil:
		return d.folder(name, k, web)
	case k.Rows != nil && has.SQL != nil && !web:
		return sqldb.Double(k, d.database(name), d.clock)
	}
	return refusing(k, fault.New(fault.Invalid, "the double of %s is no %s", name, k.Info.Label).
		WithHint("databases have sql, places of files have files, and services are answered by the partner"))
}

// refusing is a kind that cannot be used.
func refusing(k source.Kind, why error) source.Kind {
	if k.Files != nil {
		k.Files = func(source.Address) (source.Files, error) { return nil, why }
		return k
	}
	k.Rows = func(source.Address) (source.Rows, error) { return nil, why }
	return k
}

// folder is a place of files in a folder of this machine. Address and options are checked as the kind itself does.
func (d *doubles) folder(name string, k source.Kind, web bool) source.Kind {
	open := k.Files
	k.Files = func(a source.Address) (source.Files, error) {
		a.Secret = source.Secret{User: a.Secret.User} // keys and passwords are made up
		there, err := open(a)
		if err == nil {
			err = there.Close()
		}
		if err != nil {
			return nil, err
		}
		at := source.PathOf(a.URL)
		if web {
			at = a.URL.Path
		}
		inner, err := file.NewFolder(source.Address{URL: &url.URL{Path: d.root(name) + absolute(at)}})
		return &folder{root: d.root(name), files: inner}, err
	}
	return k
}

// absolute is a path from the root of a place, whatever it was. A slash at the end stays, for it says something.
func absolute(p string) string {
	out := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && out != "/" {
		out += "/"
	}
	return out
}

// folder is a place of files below a root that nobody outside sees.
type folder struct {
	root  string
	files *file.Folder
}

func (f *folder) in(of source.File) source.File {
	of.Path = f.root + absolute(of.Path)
	return of
}

// List makes folder a source.Files.
func (f *folder) List(ctx context.Context) ([]source.File, error) {
	found, err := f.files.List(ctx)
	for i := range found {
		found[i].Path = strings.TrimPrefix(found[i].Path, f.root)
	}
	return found, err
}

// Open makes folder a source.Files.
func (f *folder) Open(ctx context.Context, of source.File, from int64) (io.ReadCloser, error) {
	return f.files.Open(ctx, f.in(of), from)
}

// Move makes folder a source.Mover.
func (f *folder) Move(ctx context.Context, of source.File, to string) error {
	return f.files.Move(ctx, f.in(of), f.root+absolute(to))
}

// Put makes folder a source.Putter.
func (f *folder) Put(ctx context.Context, to string, r io.Reader, replace bool) error {
	return f.files.Put(ctx, f.root+absolute(to), r, replace)
}

// Close makes folder a source.Files.
func (f *folder) Close() error { return f.files.Close() }

// furnish makes the doubles of a test.
func (t *trial) furnish(ctx context.Context) error {
	if err := os.MkdirAll(t.doubles.home, 0o755); err != nil {
		return fault.Wrap(fault.Unavailable, err, "there is no room for the doubles of a test")
	}
	for _, name := range slices.Sorted(maps.Keys(t.test.Doubles)) {
		d := t.test.Doubles[name]
		var err error
		switch {
		case d.SQL != nil && d.Files != nil:
			err = fault.New(fault.Invalid, "it has both sql and files").WithHint("a double is a database or a folder")
		case d.SQL != nil:
			err = t.fill(ctx, name, *d.SQL)
		default:
			err = t.place(ctx, name, d.Files)
		}
		if err != nil {
			return fault.During("double "+name, err)
		}
	}
	return nil
}

// fill runs statements, or files of them, on the database that stands for a data source.
func (t *trial) fill(ctx context.Context, name string, all []string) error {
	if _, err := t.addressOf(ctx, name); err != nil {
		return err
	}
	for _, text := range all {
		if strings.HasSuffix(strings.TrimSpace(text), ".sql") {
			b, err := t.beside(strings.TrimSpace(text))
			if err != nil {
				return err
			}
			text = string(b)
		}
		if err := sqldb.Fill(ctx, t.doubles.database(name), text); err != nil {
			return err
		}
	}
	return nil
}

// place puts files into the folder that stands for the place of a data source or export set. Their time is the test's.
func (t *trial) place(ctx context.Context, name string, files map[string]given) error {
	base, err := t.folderOf(ctx, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder cannot be made")
	}
	for _, at := range slices.Sorted(maps.Keys(files)) {
		content := []byte(files[at].Text)
		if from := files[at].From; from != "" {
			if content, err = t.beside(from); err != nil {
				return err
			}
		}
		if err := leave(t.within(name, base, at), content, t.clock.Now()); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the file %s cannot be made", at)
		}
	}
	return nil
}

// putFiles is the partner who leaves files.
func (t *trial) putFiles(ctx context.Context, s *step) error {
	if err := t.isFolder(s.Put); err != nil {
		return err
	}
	return t.place(ctx, s.Put, s.Files)
}

// changeDatabase is the partner whose database changes.
func (t *trial) changeDatabase(ctx context.Context, s *step) error {
	if t.test.Doubles[s.SQL].SQL == nil {
		return fault.New(fault.Invalid, "there is no database for %q in the doubles of this test", s.SQL).WithHint("doubles: {%s: {sql: \"create table ...\"}}", s.SQL)
	}
	return t.fill(ctx, s.SQL, s.Do)
}

// isFolder refuses names whose double is no folder.
func (t *trial) isFolder(name string) error {
	if d, is := t.test.Doubles[name]; !is || d.SQL != nil {
		return fault.New(fault.Invalid, "there is no folder for %q in the doubles of this test", name).WithHint("doubles: {%s: {files: {}}}", name)
	}
	return nil
}

func leave(at string, content []byte, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(at, content, 0o644); err != nil {
		return err
	}
	return os.Chtimes(at, now, now)
}

// within is where a file of a double lies: in its folder, or anywhere at the place when the name begins with a slash.
func (t *trial) within(name, base, at string) string {
	if strings.HasPrefix(at, "/") {
		base = t.doubles.root(name)
	}
	return base + absolute(at)
}

// beside reads a file that a test names: it lies beside the test's own.
func (t *trial) beside(name string) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(t.test.file.name))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the folder of the tests cannot be read")
	}
	defer root.Close()
	b, err := root.ReadFile(name)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the file %q cannot be read", name).WithHint("it lies beside the test")
	}
	return b, nil
}

// folderOf is the folder of this machine that the address of a data source or export set means.
func (t *trial) folderOf(ctx context.Context, name string) (string, error) {
	r, err := t.addressOf(ctx, name)
	if err != nil {
		return "", err
	}
	scheme, at, found := strings.Cut(r.Get("connection_url").Text, "://")
	if !found {
		at = scheme
	} else if _, rest, ok := strings.Cut(at, "/"); ok {
		at = "/" + rest
	} else {
		at = "/"
	}
	web := strings.HasPrefix(scheme, "http") && found
	if web {
		at, _, _ = strings.Cut(at, "?")
	}
	if plain, err := url.PathUnescape(at); err == nil && found {
		at = plain
	}
	last := path.Base(at)
	names := r.Table.Name == export.SetTable && !web || !strings.ContainsAny(last, "*?[") && path.Ext(last) == ""
	if !names && !strings.HasSuffix(at, "/") {
		at = path.Dir(at)
	}
	return t.doubles.root(name) + strings.TrimSuffix(absolute(at), "/"), nil
}

// addressOf finds the data source or export set of that name.
func (t *trial) addressOf(ctx context.Context, name string) (*record.Record, error) {
	var names []string
	for _, table := range []string{datasource.SourceTable, export.SetTable} {
		all, err := t.find(ctx, table, "")
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if r.Get("name").Text == name {
				return r, nil
			}
			names = append(names, r.Get("name").Text)
		}
	}
	f := fault.New(fault.NotFound, "there is no data source or export set %q", record.Clip(name))
	if near := record.Nearest(name, names); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f
}
