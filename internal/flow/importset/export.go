package importset

import (
	"context"
	"io"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// RowWriter gives what writes rows of a run as they came, in the format and with the options of their source, so that what
// is mended there can be imported by the same command. A fault of kind Refused when the format cannot be written.
func (s *Service) RowWriter(ctx context.Context, number int64, formats []format.Format, fates ...Fate) (func(context.Context, io.Writer) (rows int64, err error), error) {
	run, err := s.Run(ctx, number)
	if err != nil {
		return nil, err
	}
	stored, err := s.Stored(ctx, number)
	if err != nil {
		return nil, err
	}
	f, err := format.Named(stored.Format, formats)
	if err != nil {
		return nil, err
	}
	to, ok := f.(format.Writer)
	if !ok {
		return nil, fault.New(fault.Refused, "format %s cannot be written", stored.Format).WithHint("-o csv shows the rows too")
	}
	return func(ctx context.Context, w io.Writer) (count int64, err error) {
		err = to.Write(ctx, w, run.Columns, func(yield func([]record.Value, error) bool) {
			for row, err := range s.Rows(ctx, number, fates...) {
				if err != nil {
					yield(nil, err)
					return
				}
				count++
				if !yield(row.Cells, nil) {
					return
				}
			}
		}, stored.Options)
		return count, err
	}, nil
}
