package attachment

import (
	"encoding/json"
	"maps"
	"net/http"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// attributesField holds what clients keep about a file: a JSON object of texts.
const attributesField = "attributes"

// mostAttributes bounds the attributes of a file, in bytes of JSON.
const mostAttributes = 64 << 10

func attributesOf(f *record.Record) (map[string]string, error) {
	out := map[string]string{}
	text := f.Get(attributesField).Text
	if text == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the attributes of file %s", f.ID())
	}
	return out, nil
}

func (a *api) attributes(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Read)
	if err != nil {
		return nil, err
	}
	known, err := attributesOf(f)
	return &wire.Answer{Result: known}, err
}

// addAttributes answers POST: what is given is added, and in the place of what had that name.
func (a *api) addAttributes(r *wire.Request) (*wire.Answer, error) {
	known, err := a.setAttributes(r, func(known, given map[string]string) map[string]string {
		maps.Copy(known, given)
		return known
	})
	return &wire.Answer{Status: http.StatusCreated, Result: known}, err
}

// putAttributes answers PUT: what is given is in the place of all.
func (a *api) putAttributes(r *wire.Request) (*wire.Answer, error) {
	_, err := a.setAttributes(r, func(_, given map[string]string) map[string]string { return given })
	return &wire.Answer{Status: http.StatusNoContent}, err
}

// removeAttributes answers DELETE: all of them go.
func (a *api) removeAttributes(r *wire.Request) (*wire.Answer, error) {
	f, err := a.found(r, record.Write)
	if err == nil {
		err = a.keepAttributes(r, f, "")
	}
	return &wire.Answer{Status: http.StatusNoContent}, err
}

func (a *api) setAttributes(r *wire.Request, merge func(known, given map[string]string) map[string]string) (map[string]string, error) {
	f, err := a.found(r, record.Write)
	if err != nil {
		return nil, err
	}
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	for _, p := range body {
		given[p.Name] = p.Value
	}
	known, err := attributesOf(f)
	if err != nil {
		return nil, err
	}
	known = merge(known, given)
	text, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	if len(text) > mostAttributes {
		return nil, fault.New(fault.Limit, "the attributes of a file take %d bytes, the most are %d", len(text), mostAttributes)
	}
	return known, a.keepAttributes(r, f, string(text))
}

func (a *api) keepAttributes(r *wire.Request, f *record.Record, value string) error {
	_, _, err := r.Session.Trusted().Update(r.Context(), a.files(), f.ID(), []record.Assignment{{Field: attributesField, Value: record.Value{Text: value, Valid: value != ""}}})
	return err
}
