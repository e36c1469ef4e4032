package datasource

import (
	"context"
	"net/http"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

// Place is a place of files that is not read from: somebody leaves files there. An administrator wrote its address.
type Place struct {
	Name       string // of whoever leaves them
	URL        string
	Credential string // name of the record that proves who asks; "" is what the address says
	Options    format.Options
	// Dress is shown every request that goes there by HTTP, behind its credential; nil leaves them as they are.
	Dress func(*http.Request)
}

// Place opens a place of files. What is wrong with its address, options or credential is a fault; nothing is reached for.
func (s *Service) Place(ctx context.Context, p Place) (source.Files, error) {
	a, err := s.parse(p.URL)
	if err != nil {
		return nil, err
	}
	s.stand(p.Name, a)
	a.options, a.inside = p.Options, true
	if a.kind.Files == nil {
		return nil, fault.New(fault.Invalid, "%s is no place for files", a.kind.Info.Label)
	}
	if err := checkOptions(p.Options, a.kind.Info.Options, a.kind.Info.Label); err != nil {
		return nil, err
	}
	if err := s.credential(ctx, a, p.Credential); err != nil {
		return nil, err
	}
	if p.Dress != nil && a.speaksHTTP() {
		a.dress(p.Dress)
	}
	return a.kind.Files(s.at(a))
}

// dress shows requests to somebody behind what proves who asks.
func (a *address) dress(show func(*http.Request)) {
	prove, secret := a.grant, a.secret
	a.grant = func(r *http.Request, again bool) error {
		if prove != nil {
			if err := prove(r, again); err != nil {
				return err
			}
		} else if secret.User != "" || secret.Password != "" {
			r.SetBasicAuth(secret.User, secret.Password)
		}
		show(r)
		return nil
	}
}
