package table

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// TinyTable holds the long query strings that short ones stand for.
const TinyTable = "sys_tiny_url"

// Tables are the tables of this package.
func Tables() []record.Table {
	return []record.Table{{Name: TinyTable, Label: "Tiny URL", Fields: []record.Field{
		{Name: "tiny_url", Label: "Tiny URL", Type: record.String, Length: 32, Unique: true, Display: true},
		{Name: "url", Label: "URL", Type: record.String, Mandatory: true},
	}}}
}

// tinyLength is how many hex digits stand for a query: enough that nobody guesses another's.
const tinyLength = 32

// shorten answers POST /tinyurl: it keeps a long address and gives a short one for it. The same address has the same
// short one.
func (a *api) shorten(r *wire.Request) (*wire.Answer, error) {
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	long, _ := body.Get("url")
	if long == "" {
		return nil, wire.Unreadable("no url is given: {\"url\":\"incident_list.do?sysparm_query=...\"}")
	}
	t, err := r.Table(TinyTable)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(long))
	token := hex.EncodeToString(sum[:])[:tinyLength]
	_, err = r.Session.Trusted().Insert(r.Context(), t, []record.Assignment{
		{Field: record.SysID, Value: record.Text(token)}, {Field: "tiny_url", Value: record.Text(token)}, {Field: "url", Value: record.Text(long)}})
	if err != nil && fault.KindOf(err) != fault.Conflict { // it is there already
		return nil, err
	}
	page, _, _ := strings.Cut(long, "?")
	return &wire.Answer{Result: r.Base + "/" + strings.TrimPrefix(page, "/") + "?sysparm_tiny=" + token}, nil
}

// lengthen puts the parameters that a short address stands for in its place; those given beside it win.
func (a *api) lengthen(r *wire.Request) error {
	token := r.Param("sysparm_tiny")
	t := a.deps.DB.Catalog().Table(TinyTable)
	if token == "" || t == nil {
		return nil
	}
	found, err := r.Session.Trusted().Get(r.Context(), t, token)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return &wire.Error{Status: http.StatusBadRequest, Message: "Invalid tiny URL " + token}
	}
	if err != nil {
		return err
	}
	_, raw, _ := strings.Cut(found.Get("url").Text, "?")
	stored, err := url.ParseQuery(raw)
	if err != nil {
		return wire.Unreadable("the address kept is no address: %s", err)
	}
	for name, values := range r.Query() {
		if name != "sysparm_tiny" {
			stored[name] = values
		}
	}
	r.SetQuery(stored)
	return nil
}
