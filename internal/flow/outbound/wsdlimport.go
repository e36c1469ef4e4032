package outbound

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound/wsdl"
)

// WSDLReport says what an import of a description has made.
type WSDLReport struct {
	Message string         `json:"message"`
	ID      string         `json:"id"`
	Made    []string       `json:"functions"`
	Kept    []string       `json:"kept"`    // functions that are locked
	Skipped []wsdl.Skipped `json:"skipped"` // operations without an envelope, and documents that could not be had
}

// ImportWSDL makes a SOAP message from a description, at a URL or in a file: a function for each operation, with a sample
// envelope and its variables. A message of that name is brought up to date; functions that are locked stay. name may be
// empty: then the description's own is taken.
func (s *Service) ImportWSDL(ctx context.Context, session record.Session, name, location string) (*WSDLReport, error) {
	load, first := s.loader(location)
	d, err := wsdl.Read(ctx, first, load)
	if err != nil {
		return nil, fault.During("import "+path.Base(showURL(location, nil)), err)
	}
	name = cmp.Or(name, d.Name, strings.TrimSuffix(path.Base(filepath.ToSlash(location)), path.Ext(location)))
	out := &WSDLReport{Message: name, Skipped: d.Skipped}
	err = session.Write(ctx, func(w *record.Writer) error {
		out.Made, out.Kept = nil, nil
		m := &maker{loader: loader{s, w.Tx()}, w: w}
		if out.ID, err = m.put(ctx, SOAPTable, []Pair{{"name", name}}, []Pair{{"wsdl", showURL(location, nil)}}); err != nil {
			return err
		}
		for _, o := range d.Operations {
			kept, err := m.operation(ctx, out.ID, o)
			if err != nil {
				return err
			}
			if kept {
				out.Kept = append(out.Kept, o.Name)
			} else {
				out.Made = append(out.Made, o.Name)
			}
		}
		return nil
	})
	return out, err
}

// maker writes the records of a description.
type maker struct {
	loader
	w *record.Writer
}

// put makes or changes the record that has the values of a key.
func (m *maker) put(ctx context.Context, table string, key, values []Pair) (string, error) {
	found, err := m.find(ctx, table, key[0].Name, key[0].Value)
	if err != nil {
		return "", err
	}
	t := m.s.db.Catalog().Table(table)
	for _, r := range found {
		if len(key) == 1 || r.Get(key[1].Name).Text == key[1].Value {
			_, _, err := m.w.Update(ctx, t, r.ID(), assignments(values))
			return r.ID(), err
		}
	}
	r, err := m.w.Insert(ctx, t, assignments(append(key, values...)))
	if err != nil {
		return "", err
	}
	return r.ID(), nil
}

func assignments(pairs []Pair) []record.Assignment {
	var out []record.Assignment
	for _, p := range pairs {
		out = append(out, record.Assignment{Field: p.Name, Value: record.Text(p.Value)})
	}
	return out
}

// operation writes one function, unless it is locked.
func (m *maker) operation(ctx context.Context, message string, o wsdl.Operation) (kept bool, err error) {
	all, err := m.find(ctx, SOAPFunctionTable, "soap_message", message)
	if err != nil {
		return false, err
	}
	for _, r := range all {
		if r.Get("function_name").Text == o.Name && r.Get("lock").Text == "true" {
			return true, nil
		}
	}
	id, err := m.put(ctx, SOAPFunctionTable, []Pair{{"soap_message", message}, {"function_name", o.Name}},
		[]Pair{{"soap_action", o.Action}, {"soap_endpoint", o.Endpoint}, {"envelope", o.Envelope}, {"soap_version", o.Version}})
	if err != nil {
		return false, err
	}
	return false, m.variables(ctx, id, o.Variables)
}

// variables puts the variables of a function in the place of those it had.
func (m *maker) variables(ctx context.Context, function string, all []wsdl.Variable) error {
	t := m.s.db.Catalog().Table(SOAPVariableTable)
	old, err := m.find(ctx, SOAPVariableTable, "soap_message_function", function)
	if err != nil {
		return err
	}
	for _, r := range old {
		if err := m.w.Delete(ctx, t, r.ID()); err != nil {
			return err
		}
	}
	for _, v := range all {
		mandatory := "false"
		if v.Mandatory {
			mandatory = "true"
		}
		if _, err := m.w.Insert(ctx, t, assignments([]Pair{{"soap_message_function", function}, {"name", v.Name}, {"type", "xml"}, {"mandatory", mandatory}})); err != nil {
			return err
		}
	}
	return nil
}

// loader gives the way to documents, and the name of the first. A description in a file may name files beside it or below;
// one at a URL may name others, those on another host only where they are public.
func (s *Service) loader(location string) (wsdl.Loader, string) {
	if strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://") {
		return s.fetch, location
	}
	dir, file := filepath.Split(location)
	return func(_ context.Context, base, name string) (string, []byte, error) {
		if strings.Contains(name, "://") {
			return name, nil, fault.New(fault.Refused, "a description in a file names a document elsewhere").WithHint("fetch it and put it beside the description")
		}
		at := path.Join(path.Dir(base), filepath.ToSlash(name))
		text, err := readBeside(cmp.Or(dir, "."), at)
		return at, text, err
	}, file
}

func readBeside(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the folder %s cannot be read", dir)
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s cannot be read: %v", name, err)
	}
	if info.Size() > wsdl.MaxBytes {
		return nil, fault.New(fault.Limit, "%s is larger than %d MB", name, wsdl.MaxBytes>>20)
	}
	return root.ReadFile(name)
}

func (s *Service) fetch(ctx context.Context, base, location string) (string, []byte, error) {
	at := location
	outside := false
	if base != "" {
		from, err := url.Parse(base)
		if err != nil {
			return at, nil, err
		}
		to, err := from.Parse(location)
		if err != nil {
			return at, nil, fault.New(fault.Invalid, "%q is no URL", record.Clip(location))
		}
		at, outside = to.String(), to.Host != from.Host
	}
	resp, err := s.client.Do(ctx, channel.Request{Method: "GET", URL: at, Outside: outside, Redirects: true, MaxAnswer: wsdl.MaxBytes})
	switch {
	case err != nil:
		return at, nil, fault.Wrap(fault.Unavailable, err, "%s: %s", showURL(at, nil), err.Error())
	case resp.Status != 200:
		return at, nil, fault.New(fault.Unavailable, "%s: HTTP %d", showURL(at, nil), resp.Status)
	}
	return at, resp.Body, nil
}
