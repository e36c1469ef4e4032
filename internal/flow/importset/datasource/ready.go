package datasource

import (
	"context"
	"crypto/md5" //nolint:gosec // of a control file, against accidents
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"strings"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// controls are the control files beside the files of a source. A file is ready when its control file is there.
type controls struct {
	suffix string
	files  source.Files // nil when the source has none
	by     map[string]source.File
}

// controls lists the control files of a source: data.csv.ok or data.ok for data.csv.
func (j *job) controls(ctx context.Context, listed []source.File) (*controls, error) {
	c := &controls{suffix: j.src.get("control_suffix"), by: map[string]source.File{}}
	if j.src.get("ready") != "control" {
		return c, nil
	}
	if c.suffix == "" {
		return nil, fault.New(fault.Invalid, "ready is control, and there is no control_suffix").WithHint("such as .ok or .sha256")
	}
	u := *j.src.url
	folder, name := path.Split(u.Path)
	if j.src.speaksHTTP() {
		u.Path, u.RawPath = u.Path+c.suffix, ""
	} else {
		u.Path, u.RawPath, u.RawQuery, u.ForceQuery, u.Fragment = folder+"*"+c.suffix, "", "", false, ""
		if name == "" {
			u.Path = path.Clean(folder) + "/*" + c.suffix
		}
	}
	at := *j.src.address
	at.url = &u
	var err error
	if c.files, err = j.src.kind.Files(j.at(&at)); err != nil {
		return nil, err
	}
	found, err := c.files.List(ctx)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return c, err
	}
	for _, f := range found {
		c.by[f.Path] = f
		if j.src.speaksHTTP() && len(listed) == 1 { // wherever redirects led
			c.by[listed[0].Path+c.suffix] = f
		}
	}
	return c, nil
}

// close ends the use of the control files.
func (c *controls) close() error {
	if c == nil || c.files == nil {
		return nil
	}
	return c.files.Close()
}

// of finds the control file of a file.
func (c *controls) of(f source.File) (source.File, bool) {
	if at, ok := c.by[f.Path+c.suffix]; ok {
		return at, true
	}
	at, ok := c.by[strings.TrimSuffix(f.Path, path.Ext(f.Path))+c.suffix]
	return at, ok
}

// ready reports whether a file may be taken; when not, why. What is seen for the first time is noted: whether it stays as
// it is shows at the next look.
func (j *job) ready(ctx context.Context, c *controls, f source.File, last *delivery) (why string, err error) {
	switch j.src.get("ready") {
	case "control":
		if _, ok := c.of(f); !ok {
			return "its control file is not there yet", nil
		}
	case "quiet":
		return j.quiet(ctx, f, last)
	}
	return "", nil
}

func (j *job) quiet(ctx context.Context, f source.File, last *delivery) (why string, err error) {
	now := j.Clock().UTC()
	seen := last != nil && last.state == FileSeen
	if seen && unchanged(f, last.File) {
		at, err := time.Parse(record.DateTimeLayout, last.at)
		if err == nil && now.Sub(at) >= j.src.quiet {
			return "", nil
		}
		return "it has to stay as it is for " + j.src.quiet.String(), nil
	}
	if j.src.quiet == 0 {
		return "", nil
	}
	d := &delivery{File: f, state: FileSeen, reason: "seen for the first time", at: now.Format(record.DateTimeLayout)}
	if seen {
		d.record, d.reason = last.record, "it changes still"
	}
	return d.reason + "; it has to stay as it is for " + j.src.quiet.String(), j.keep(ctx, j.src.id, d)
}

// promise is what a control file says of its file.
type promise struct {
	sha256, md5 string
	size, rows  int64 // -1 when it says nothing of it
}

// maxControl is the largest control file, in bytes.
const maxControl = 1 << 16

// promised reads the control file of a file; an empty promise when there is none.
func (j *job) promised(ctx context.Context, c *controls, f source.File) (promise, error) {
	none := promise{size: -1, rows: -1}
	rule := j.src.get("checksum")
	at, ok := c.of(f)
	if !ok || rule == "none" {
		return none, nil
	}
	r, err := c.files.Open(ctx, at, 0)
	if err != nil {
		return none, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxControl))
	if err != nil {
		return none, fault.Wrap(fault.Unavailable, err, "control file %s cannot be read", at.Path)
	}
	p, err := parsePromise(string(text), path.Base(f.Path))
	if err == nil && rule == "required" && p.sha256 == "" && p.md5 == "" {
		err = fault.New(fault.Invalid, "control file %s holds no checksum of %s", at.Path, path.Base(f.Path)).
			WithHint("a line `sha256sum` writes, or JSON: {\"name\": ..., \"sha256\": ..., \"count\": ...}")
	}
	return p, err
}

// parsePromise reads the text of a control file: JSON, lines of a checksum program, or a checksum alone. Other text, and
// none, promises nothing.
func parsePromise(text, name string) (promise, error) {
	p := promise{size: -1, rows: -1}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if strings.HasPrefix(text, "{") {
		return p, p.fromJSON(text, name)
	}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || len(words) > 1 && path.Base(strings.TrimPrefix(words[len(words)-1], "*")) != name {
			continue
		}
		p.take(words[0])
	}
	return p, nil
}

// take keeps a hash by its length.
func (p *promise) take(hash string) {
	hash = strings.ToLower(hash)
	if _, err := hex.DecodeString(hash); err != nil {
		return
	}
	switch len(hash) {
	case 64:
		p.sha256 = hash
	case 32:
		p.md5 = hash
	}
}

func (p *promise) fromJSON(text, name string) error {
	var said struct {
		Name, File, SHA256, MD5, Hash, Checksum string
		Size, Bytes, Count, Rows                *int64
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return fault.Wrap(fault.Invalid, err, "the control file of %s is no JSON", name)
	}
	for _, of := range []string{said.Name, said.File} {
		if of != "" && path.Base(of) != name {
			return fault.New(fault.Invalid, "the control file of %s is about %s", name, record.Clip(of))
		}
	}
	for _, hash := range []string{said.SHA256, said.MD5, said.Hash, said.Checksum} {
		p.take(strings.TrimPrefix(strings.TrimPrefix(hash, "sha256:"), "md5:"))
	}
	for _, n := range []*int64{said.Size, said.Bytes} {
		if n != nil {
			p.size = *n
		}
	}
	for _, n := range []*int64{said.Count, said.Rows} {
		if n != nil {
			p.rows = *n
		}
	}
	return nil
}

// kept holds a copy to what was promised of it.
func (p promise) kept(c *copied) error {
	broken := func(format string, args ...any) error {
		return fault.New(fault.Invalid, format, args...).WithHint("the file is not whole, or another one: have it uploaded again")
	}
	if p.size >= 0 && p.size != c.size {
		return broken("its control file says %d bytes, and it has %d", p.size, c.size)
	}
	if p.sha256 != "" && p.sha256 != c.sum {
		return broken("its control file says SHA-256 %.12s, and it has %.12s", p.sha256, c.sum)
	}
	if p.md5 == "" {
		return nil
	}
	r, err := c.open(context.Background())
	if err != nil {
		return err
	}
	defer r.Close()
	sum := md5.New() //nolint:gosec // see above
	if _, err := io.Copy(sum, r); err != nil {
		return unspooled(err)
	}
	if have := hex.EncodeToString(sum.Sum(nil)); have != p.md5 {
		return broken("its control file says MD5 %.12s, and it has %.12s", p.md5, have)
	}
	return nil
}

// counted holds the rows of a source to the number that was promised.
func (p promise) counted(ctx context.Context, src *importset.Source) error {
	if p.rows < 0 {
		return nil
	}
	n := int64(0)
	for row, err := range src.Rows(ctx) {
		if err != nil {
			return err
		}
		if row.Cells != nil || row.Err != nil {
			n++
		}
	}
	if n != p.rows {
		return fault.New(fault.Invalid, "its control file says %d rows, and it has %d", p.rows, n).WithHint("the file is not whole, or another one: have it uploaded again")
	}
	return nil
}
