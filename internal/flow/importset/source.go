package importset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"iter"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// Source is what an import reads: bytes that can be opened again, and the format they are in, or rows that come without
// bytes.
type Source struct {
	Name    string // as the user names it; a later import of the same name and maps may resume an unfinished run
	Size    int64  // bytes; negative when not known
	Open    func(ctx context.Context) (io.ReadCloser, error)
	Format  format.Format
	Options format.Options

	// Live gives the rows of a place that keeps no bytes, such as a table of a database, in the place of Open and Format;
	// every call reads anew. Kind then says what it is: "postgres".
	Live func(ctx context.Context) iter.Seq2[*format.Row, error]
	Kind string
	// Supersede begins a new run where an unfinished one cannot go on because the source has changed since, if every map
	// finds its records by a key. Without it that is a fault of kind Conflict. Live sources always do.
	Supersede bool

	planned string // name of the format, when the rows come out of a plan
}

// Rows opens the source and yields its rows.
func (s *Source) Rows(ctx context.Context) iter.Seq2[*format.Row, error] {
	return func(yield func(*format.Row, error) bool) {
		if s.Live != nil {
			s.live(ctx, yield)
			return
		}
		r, err := s.Open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		for row, err := range s.Format.Rows(ctx, r, s.Options) {
			if err != nil {
				yield(nil, fault.During(s.Name, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (s *Source) live(ctx context.Context, yield func(*format.Row, error) bool) {
	for row, err := range s.Live(ctx) {
		if err != nil {
			yield(nil, fault.During(s.Name, err))
			return
		}
		if !yield(row, nil) {
			return
		}
	}
}

// grows reports whether columns may show up late.
func (s *Source) grows() bool { return s.Format != nil && s.Format.Info().Grows }

// headBytes is how much of a source is looked at to recognise its format.
const headBytes = 64 << 10

// Recognise settles the format of the source, the one named or else the one that its first bytes show, and checks the
// options.
func (s *Source) Recognise(ctx context.Context, named string, formats []format.Format) error {
	if s.Live != nil {
		return nil
	}
	r, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fault.Wrap(fault.Unavailable, err, "%s cannot be read", s.Name)
	}
	if named != "" && n > 0 {
		s.Format, err = format.Named(named, formats)
	} else {
		s.Format, err = format.Detect(s.Name, head[:n], formats)
	}
	if err == nil {
		err = s.Options.Check(s.Format.Info().Options)
	}
	return fault.During(s.Name, err)
}

// formatName is the name of the source's format; a plan carries only that.
func (s *Source) formatName() string {
	switch {
	case s.Format != nil:
		return s.Format.Info().Name
	case s.Live != nil:
		return s.Kind
	}
	return s.planned
}

// signature tells two imports apart that must not resume each other.
func (s *Source) signature(defs []transform.Def) string {
	sum := sha256.Sum256([]byte(mustJSON([]any{s.Name, s.formatName(), s.Options, defs})))
	return hex.EncodeToString(sum[:16])
}

// compile readies a map for the source. Where the source shows its columns only bit by bit and one is missing at first,
// the whole source is read for its columns before anything is written.
func (s *Source) compile(ctx context.Context, def transform.Def, header []string, target *record.Table) (*transform.Map, error) {
	m, err := transform.Compile(def, header, target)
	var missing *transform.MissingColumn
	if err == nil || !errors.As(err, &missing) || !s.grows() {
		return m, err
	}
	all, surveyErr := s.columns(ctx)
	if surveyErr != nil {
		return nil, surveyErr
	}
	return transform.Compile(def, all, target)
}

// columns reads the whole source for its columns.
func (s *Source) columns(ctx context.Context) ([]string, error) {
	var header *format.Header
	for row, err := range s.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		header = row.Header
	}
	if header == nil {
		return nil, nil
	}
	return header.Columns, nil
}
