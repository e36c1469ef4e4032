package httpfile

import (
	"bufio"
	"bytes"
	"errors"
	"html"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/klauspost/compress/gzip"

	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
)

// decoded takes away an encoding that the server put on the file although it was asked not to.
func (p *place) decoded(a *answer) (io.Reader, error) {
	switch encoding := strings.ToLower(a.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return a.Body, nil
	case "gzip", "x-gzip":
		if packed(a.at) {
			return a.Body, nil
		}
		r, err := gzip.NewReader(a.Body)
		if err != nil {
			return nil, p.damaged(err)
		}
		return unpacking{r, p}, nil
	default:
		return nil, fault.New(fault.Invalid, "%s: the server sends the file in the encoding %q, which nobody asked for", p.name, encoding).
			WithHint("the operator of the server must heed Accept-Encoding: identity")
	}
}

// unpacking tells trouble of the encoding from that of the connection.
type unpacking struct {
	io.Reader
	p *place
}

func (u unpacking) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = u.p.damaged(err)
	}
	return n, err
}

func (p *place) damaged(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return fault.Wrap(fault.Unavailable, err, "%s: the answer is called gzip and is not, or is damaged", p.name).WithHint("try again")
	}
	return web.Fault(p.name, err)
}

const sniffed = 4 << 10 // bytes in which a web page shows itself

// data refuses a web page where a file of data was asked for: instances that hibernate, logins and portals answer so, with
// status 200. What the server calls its answer is not heeded, because many call everything HTML.
func (p *place) data(a *answer, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(path.Ext(p.at.Path)) {
	case ".html", ".htm", ".xhtml":
		return r, nil
	}
	br := bufio.NewReaderSize(r, sniffed)
	head, err := br.Peek(sniffed)
	if err != nil && err != io.EOF {
		if len(head) == 0 {
			return nil, web.Fault(p.name, err)
		}
	}
	if !isPage(head) {
		return br, nil
	}
	if bytes.Contains(bytes.ToLower(head), []byte("hibernat")) {
		return nil, fault.New(fault.Unavailable, "%s: the instance is hibernating: it answers with a web page", p.name).WithHint("wake it by logging in, then try again")
	}
	return nil, fault.New(fault.Invalid, "%s: the answer is a web page%s, not a file of data", p.name, title(head)).
		WithHint("%s", pageHint(p, a))
}

func pageHint(p *place, a *answer) string {
	if *a.at != *p.at {
		return "it was led to " + shown(a.at) + ": a login may be needed, so name a credential"
	}
	return "check the address with a browser: it may be a page about the file, or a login"
}

func isPage(head []byte) bool {
	head = bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

var titled = regexp.MustCompile(`(?is)<title[^>]*>([^<]{1,100})`)

func title(head []byte) string {
	m := titled.FindSubmatch(head)
	if m == nil {
		return ""
	}
	text := strings.Join(strings.Fields(html.UnescapeString(string(m[1]))), " ")
	return " (" + strings.ToValidUTF8(text, "") + ")"
}

// bounded ends a body that goes on without end.
func (p *place) bounded(r io.Reader, body io.Closer, from int64) io.ReadCloser {
	return &bound{r: r, Closer: body, p: p, left: p.most - from}
}

type bound struct {
	r io.Reader
	io.Closer
	p    *place
	left int64
}

func (b *bound) Read(to []byte) (int, error) {
	n, err := b.r.Read(to)
	b.left -= int64(n)
	if b.left < 0 {
		return n, b.p.tooLarge()
	}
	return n, err
}
