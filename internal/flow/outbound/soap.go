package outbound

import (
	"encoding/xml"
	"io"
	"strings"
)

// Fault is a SOAP fault, of version 1.1 or 1.2.
type Fault struct {
	Code   string // without its prefix: Client, Server, Sender, Receiver, or what the service says
	Text   string
	Detail string // the text in the detail, without marks
}

// ours reports whether the fault says that the request is wrong: sending it again is no use.
func (f *Fault) ours() bool {
	switch strings.ToLower(f.Code) {
	case "client", "sender", "mustunderstand", "versionmismatch", "dataencodingunknown":
		return true
	}
	return strings.HasPrefix(strings.ToLower(f.Code), "client.")
}

// mostFault bounds what is looked at for a fault, in bytes: faults stand at the beginning and are short.
const mostFault = 1 << 20

// FaultOf finds the fault in a SOAP answer; nil when it has none. Documents with a document type are not looked into.
func FaultOf(body []byte) *Fault {
	dec := xml.NewDecoder(io.LimitReader(strings.NewReader(string(body)), mostFault))
	dec.Strict = false
	var f *Fault
	var path []string
	for {
		t, err := dec.Token()
		if err != nil {
			return f
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil
		case xml.StartElement:
			path = append(path, t.Name.Local)
			if f == nil && len(path) == 3 && path[0] == "Envelope" && path[1] == "Body" {
				if t.Name.Local != "Fault" {
					return nil
				}
				f = &Fault{}
			}
		case xml.EndElement:
			path = path[:max(len(path)-1, 0)]
		case xml.CharData:
			if f != nil && len(path) > 3 {
				f.take(path[3:], string(t))
			}
		}
	}
}

// take puts a text where it belongs.
func (f *Fault) take(path []string, text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	switch path[0] {
	case "faultcode", "Code":
		if f.Code == "" {
			f.Code = text[strings.LastIndexByte(text, ':')+1:]
		}
	case "faultstring", "Reason":
		f.Text = strings.TrimSpace(f.Text + " " + text)
	case "detail", "Detail":
		f.Detail = strings.TrimSpace(f.Detail + " " + text)
	}
}

const (
	securityNS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	plainType  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
)

// withUsernameToken puts a WS-Security user-name token into the header of an envelope, which is made where there is none.
func withUsernameToken(envelope string, b Basic) string {
	token := `<wsse:Security xmlns:wsse="` + securityNS + `"><wsse:UsernameToken><wsse:Username>` + escapeXML(b.User) + `</wsse:Username><wsse:Password Type="` +
		plainType + `">` + escapeXML(b.Password) + `</wsse:Password></wsse:UsernameToken></wsse:Security>`
	if at, tag := element(envelope, "Header"); at >= 0 {
		if strings.HasSuffix(tag, "/>") {
			name := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(tag, "<"), "/>"))[0]
			return envelope[:at] + strings.TrimSuffix(tag, "/>") + ">" + token + "</" + name + ">" + envelope[at+len(tag):]
		}
		return envelope[:at+len(tag)] + token + envelope[at+len(tag):]
	}
	at, tag := element(envelope, "Body")
	if at < 0 {
		return envelope
	}
	prefix := ""
	if name := strings.TrimPrefix(tag, "<"); strings.Contains(strings.SplitN(name, "Body", 2)[0], ":") {
		prefix = strings.SplitN(name, "Body", 2)[0]
	}
	return envelope[:at] + "<" + prefix + "Header>" + token + "</" + prefix + "Header>" + envelope[at:]
}

// element finds the first start tag with a local name, and gives it as it is written.
func element(text, local string) (at int, tag string) {
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict = false
	for {
		before := dec.InputOffset()
		t, err := dec.RawToken()
		if err != nil {
			return -1, ""
		}
		if start, ok := t.(xml.StartElement); ok && start.Name.Local == local {
			return int(before), text[before:dec.InputOffset()]
		}
	}
}
