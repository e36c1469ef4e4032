package outbound

import (
	"context"
	nethttp "net/http"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// kindsOfCredential are the tables of credentials for HTTP, and what a call names them by.
var kindsOfCredential = []struct{ table, kind string }{{BasicTable, "basic"}, {APIKeyTable, "api_key"}, {ProfileTable, "oauth2"}}

// Grant finds the credential of a name, or a sys_id: a basic auth profile, an API key or an OAuth profile. What it gives
// puts it on requests, and gets a new token where the last one was refused. A NotFound fault when there is none.
func (s *Service) Grant(ctx context.Context, name string) (source.Grant, error) {
	c, err := s.credential(ctx, name)
	if err != nil {
		return nil, err
	}
	return func(r *nethttp.Request, again bool) error {
		p, err := s.prove(r.Context(), c, again)
		if err != nil {
			return err
		}
		for _, h := range p.header {
			r.Header.Set(h.Name, h.Value)
		}
		return nil
	}, nil
}

func (s *Service) credential(ctx context.Context, name string) (c credential, err error) {
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		for _, of := range kindsOfCredential {
			r, err := (loader{s, tx}).one(ctx, of.table, "name", name, "credential")
			if err == nil {
				c = credential{Kind: of.kind, ID: r.ID()}
				return nil
			}
			if fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		return fault.New(fault.NotFound, "there is no credential %q for HTTP", record.Clip(name)).
			WithHint("it is a basic auth profile, an API key or an OAuth profile")
	})
	return c, err
}
