package datasource

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// address is where data is, and who asks for it.
type address struct {
	kind    source.Kind
	url     *url.URL
	options format.Options
	secret  source.Secret
	grant   source.Grant
	inside  bool
}

// localScheme is the scheme of paths, which are written without one.
const localScheme = "file"

// parse takes an address apart. Its errors do not repeat what was given: there may be a password in it.
func (s *Service) parse(ref string) (*address, error) {
	a := &address{options: format.Options{}}
	scheme, rest, found := strings.Cut(ref, "://")
	if !found {
		a.url = &url.URL{Path: ref}
		scheme = localScheme
	} else {
		u, err := url.Parse(ref)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the address at %s:// cannot be read", record.Clip(scheme)).
				WithHint("%s", mistake(rest))
		}
		if u.User != nil {
			a.secret.User = u.User.Username()
			a.secret.Password, _ = u.User.Password()
			u.User = url.User(a.secret.User)
		}
		a.url, scheme = u, strings.ToLower(u.Scheme)
	}
	var err error
	a.kind, err = s.kindOf(scheme)
	return a, err
}

// mistake guesses what is wrong with an address that cannot be parsed.
func mistake(rest string) string {
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		return "write /, ?, # and @ in a user name or password as %2F, %3F, %23 and %40, or give the password in HEADRACE_SOURCE_PASSWORD"
	}
	return "scheme://host/path"
}

// kindOf finds the kind of source that a scheme means.
func (s *Service) kindOf(scheme string) (source.Kind, error) {
	var known []string
	for _, k := range s.Kinds {
		if slices.Contains(k.Info.Schemes, scheme) {
			return k, nil
		}
		known = append(known, k.Info.Schemes...)
	}
	bad := fault.New(fault.Invalid, "there is no source at %s://", record.Clip(scheme))
	if near := record.Nearest(scheme, known); near != "" {
		return source.Kind{}, bad.WithHint("did you mean %s://?", near)
	}
	slices.Sort(known)
	return source.Kind{}, bad.WithHint("there are %s, and paths of files", strings.Join(known, ", "))
}

// at is the address as a kind of source takes it.
func (s *Service) at(a *address) source.Address {
	return source.Address{URL: a.url, Options: a.options, Secret: a.secret, Grant: a.grant, Through: s.Through, Inside: a.inside}
}

// speaksHTTP reports whether requests carry the credential themselves.
func (a *address) speaksHTTP() bool { return strings.Contains(a.url.Scheme, "http") }

// plain reports whether what is said can be read on the way.
func (a *address) plain() bool {
	return a.url.Scheme == "http" || strings.HasSuffix(a.url.Scheme, "+http")
}

// plainNote warns of an address that is not encrypted.
const plainNote = "http:// is not encrypted: whoever is on the way can read and change what is fetched, and read the credentials"

// warnings are what is to be said of a place before it is used.
func (a *address) warnings(place any) []string {
	if w, ok := place.(source.Warner); ok {
		return w.Warnings()
	}
	if a.plain() {
		return []string{plainNote}
	}
	return nil
}

// tell passes notes on, if anybody listens.
func tell(notes func(string), all []string) {
	for _, n := range all {
		if notes != nil {
			notes(n)
		}
	}
}

// String is the address as it may be shown: without a password, and without what looks like one in the query.
func (a *address) String() string {
	u := *a.url
	if u.Scheme == "" {
		return u.Path
	}
	if a.kind.Files != nil && !a.speaksHTTP() { // a question mark is part of a pattern there
		return u.Scheme + "://" + u.Host + source.PathOf(&u)
	}
	if u.User != nil && u.User.Username() == "" {
		u.User = nil
	}
	q := u.Query()
	for name := range q {
		if secretive(name) {
			q.Set(name, "***")
		}
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "%2A%2A%2A", "***")
	u.Fragment = ""
	return u.String()
}

// secretive reports whether a parameter of that name may be what proves who asks.
func secretive(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "token", "secret", "sig", "key", "auth", "cred", "code", "x-amz-", "sas", "session"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "sv" || name == "se"
}

// credential gives an address the credential of a name. "" leaves it as it is.
func (s *Service) credential(ctx context.Context, a *address, name string) (err error) {
	if name == "" {
		return nil
	}
	if a.speaksHTTP() {
		if s.Grant == nil {
			return fault.New(fault.Invalid, "credentials by name cannot be used here")
		}
		a.grant, err = s.Grant(ctx, name)
		return err
	}
	for _, of := range []struct{ table, user, secret, phrase string }{
		{"sys_auth_profile_basic", "username", "password", ""}, {SSHKeyTable, "user_name", "ssh_private_key", "ssh_passphrase"}} {
		r, err := s.recordNamed(ctx, of.table, name)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if a.secret.User == "" || of.phrase == "" || r.Get(of.user).Text != "" {
			a.secret.User = r.Get(of.user).Text
		}
		secret, err := s.Reveal(r.Get(of.secret).Text)
		if err != nil {
			return fault.During("credential "+name, err)
		}
		if of.phrase == "" {
			a.secret.Password = secret
			return nil
		}
		a.secret.Key = secret
		a.secret.Phrase, err = s.Reveal(r.Get(of.phrase).Text)
		return fault.During("credential "+name, err)
	}
	return fault.New(fault.NotFound, "there is no credential %q for %s", record.Clip(name), a.kind.Info.Label).
		WithHint("it is a record of sys_auth_profile_basic (user and password) or %s", SSHKeyTable)
}

// recordNamed reads a record by name or sys_id; nil when there is none, or no such table.
func (s *Service) recordNamed(ctx context.Context, table, name string) (*record.Record, error) {
	t := s.DB.Catalog().Table(table)
	if t == nil {
		return nil, nil
	}
	found, err := s.read(ctx, &record.Query{Table: t, Fields: t.Names(), Limit: 1, Where: &query.Or{Parts: []query.Node{
		&query.Term{Field: "name", Op: query.Equal, Values: []string{name}}, &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{name}}}}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}
