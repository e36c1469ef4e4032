package glide

import (
	"headrace/internal/core/fault"
)

// Sealer seals and opens secrets.
type Sealer interface {
	Seal(text string) (string, error)
	Open(sealed string) (string, error)
}

// encrypterProperty turns GlideEncrypter on. Scripts that encrypt for themselves keep secrets where they do not belong,
// so it is off unless somebody asks for it.
const encrypterProperty = "glide.script.encrypter"

// encrypter is GlideEncrypter: an old name for the vault. It reads nothing that the platform has encrypted.
type encrypter struct{}

type encrypterMethod = func(l *lib, _ *encrypter, a arguments) any

var encrypterClass = &class[encrypter]{name: "GlideEncrypter", construct: func(*lib, arguments) *encrypter { return &encrypter{} }, methods: map[string]encrypterMethod{
	"encrypt": func(l *lib, _ *encrypter, a arguments) any { return l.secret(Sealer.Seal, a.text(0)) },
	"decrypt": func(l *lib, _ *encrypter, a arguments) any { return l.secret(Sealer.Open, a.text(0)) },
}}

func (l *lib) secret(do func(Sealer, string) (string, error), text string) string {
	if l.cfg.Sealer == nil || l.property(encrypterProperty) != "true" {
		l.throw(fault.New(fault.Refused, "GlideEncrypter is turned off").
			WithHint("keep the secret in a field of type password2, or set the property %s to true", encrypterProperty))
	}
	out, err := do(l.cfg.Sealer, text)
	if err != nil {
		l.throw(err)
	}
	return out
}
