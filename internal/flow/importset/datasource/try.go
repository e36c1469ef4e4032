package datasource

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// Sampled is the first rows of a source.
type Sampled struct {
	Source  string           `json:"source"`
	Columns []string         `json:"columns"`
	Rows    [][]record.Value `json:"-"`
	Notes   []string         `json:"notes,omitempty"`
}

// Checked is what trying a source came to, step by step.
type Checked struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	At    string `json:"at,omitempty"`
	OK    bool   `json:"ok"`
	Steps []Step `json:"steps"`
	// Warnings are what is to be said of the source although it works: that it is not encrypted, say.
	Warnings []string `json:"warnings,omitempty"`
	// HostKey is the fingerprint of the key that a host showed at a first contact; Accept pins it.
	HostKey string `json:"host_key,omitempty"`
}

// Step is one thing that was tried.
type Step struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// step notes how one thing went, and reports whether it went well.
func (c *Checked) step(what, detail string, err error) bool {
	s := Step{What: what, OK: err == nil, Detail: detail}
	if err != nil {
		s.Detail, s.Hint = err.Error(), fault.HintOf(err)
		c.HostKey = fingerprint(err)
	}
	c.Steps = append(c.Steps, s)
	c.OK = err == nil
	return c.OK
}

// Test tries what Run needs of a saved source, and writes nothing: the record, the way to it, who asks, what is there,
// and the maps that would take it. What is wrong is the last of the steps, with a hint.
func (s *Service) Test(ctx context.Context, name string) (*Checked, error) {
	r, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	out := &Checked{Name: name}
	d, err := s.compile(ctx, r)
	if err == nil {
		err = d.watched()
	}
	if !out.step("record", "", err) {
		return out, nil
	}
	out.Kind, out.At = d.kind.Info.Name, d.address.String()
	if !s.reach(ctx, d, out) {
		return out, nil
	}
	maps, err := s.mapsOf(ctx, d)
	out.step("maps", fmt.Sprintf("%d of staging table %s", len(maps), d.staging), err)
	return out, nil
}

// watched looks at what the record says of how the source is to be watched, which a run reads when it is too late.
func (d *saved) watched() error {
	if _, err := d.duration("expect_every"); err != nil {
		return err
	}
	_, err := parseContract(d.get("contract"))
	return err
}

// reach tries the way to a source and what lies there.
func (s *Service) reach(ctx context.Context, d *saved, out *Checked) bool {
	if d.kind.Rows != nil {
		place, err := d.kind.Rows(s.at(d.address))
		if err == nil {
			out.Warnings = d.warnings(place)
			err = errors.Join(place.Test(ctx), place.Close())
		}
		return out.step("connection", "", err)
	}
	place, err := d.kind.Files(s.at(d.address))
	if !out.step("address", "", err) {
		return false
	}
	defer place.Close()
	out.Warnings = d.warnings(place)
	j := &job{Service: s, src: d}
	if !out.step("folders", "", j.movable(place)) {
		return false
	}
	listed, err := place.List(ctx)
	slices.SortFunc(listed, byAge)
	return out.step("connection", found(listed), err) && (len(listed) == 0 || s.readable(ctx, d, place, listed[len(listed)-1], out))
}

func found(files []source.File) string {
	if len(files) == 0 {
		return "no file is there now"
	}
	return fmt.Sprintf("%d files: %s", len(files), some(files))
}

// readable looks at the head of a file.
func (s *Service) readable(ctx context.Context, d *saved, place source.Files, f source.File, out *Checked) bool {
	src := importset.Source{Name: path.Base(f.Path), Open: stream(place, f), Options: d.formatOptions}
	err := src.Recognise(ctx, d.format, s.Formats)
	detail := path.Base(f.Path)
	if err == nil {
		detail += " is " + src.Format.Info().Label
	}
	return out.step("content", detail, err)
}

// Sample reads the first n rows of a saved source, from its beginning, and writes nothing.
func (s *Service) Sample(ctx context.Context, name string, n int) (out *Sampled, err error) {
	r, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := s.compile(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.kind.Rows != nil {
		place, err := d.kind.Rows(s.at(d.address))
		if err != nil {
			return nil, err
		}
		out, err = first(place.Read(ctx, "").Rows, n)
		return labelled(out, name), errors.Join(err, place.Close())
	}
	place, err := d.kind.Files(s.at(d.address))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	f, err := s.choose(ctx, d, place)
	if err != nil {
		return nil, err
	}
	src := importset.Source{Name: name + "/" + path.Base(f.Path), Size: f.Size, Open: stream(place, f), Options: d.formatOptions}
	if err := src.Recognise(ctx, d.format, s.Formats); err != nil {
		return nil, err
	}
	out, err = first(src.Rows(ctx), n)
	return labelled(out, src.Name), err
}

func labelled(out *Sampled, source string) *Sampled {
	if out != nil {
		out.Source = source
	}
	return out
}

// keyForm is how the fingerprint of a host's key is written.
var keyForm = regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`)

// fingerprint finds the key of a host that is not known yet in what a first contact says.
func fingerprint(err error) string {
	if fault.KindOf(err) != fault.Denied && fault.KindOf(err) != fault.Refused {
		return ""
	}
	return keyForm.FindString(fault.HintOf(err) + " " + err.Error())
}

// Accept pins the key that the host of a saved source shows, as Test found it: from then on no other is accepted. It is
// kept in a field of its own, in which files of a project have no say, unless the options name one already.
func (s *Service) Accept(ctx context.Context, actor record.Actor, name, key string) error {
	r, err := s.find(ctx, name)
	if err != nil {
		return err
	}
	options, err := (&saved{record: r}).texts("options")
	if err != nil {
		return err
	}
	field, value := hostKey, key
	if options[hostKey] != "" {
		options[hostKey] = key
		field, value = "options", encode(options)
	}
	_, _, err = s.DB.As(actor).Update(ctx, r.Table, r.ID(), []record.Assignment{{Field: field, Value: record.Text(value)}})
	return err
}
