package attachment

import (
	"io"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// mostField is the most bytes of a field of a form.
const mostField = 4096

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

// arriving is a body on its way in: what goes wrong with it is the client's.
type arriving struct {
	from io.Reader
	said int64 // how many bytes there should be; below 0 when that was not told
	came int64
}

// Read makes arriving an io.Reader.
func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.came += int64(n)
	switch {
	case err == io.EOF && b.said >= 0 && b.came != b.said:
		return n, wire.Unreadable("%d bytes came of %d", b.came, b.said)
	case err != nil && err != io.EOF:
		return n, wire.Unreadable("the file did not arrive whole: %v", err)
	}
	return n, err
}
