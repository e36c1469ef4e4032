package xlsx

import (
	"context"
	stdxml "encoding/xml"
	"errors"
	"io"
	"strings"

	"headrace/internal/core/fault"
)

// texts are the shared texts of a workbook, one behind the other.
type texts struct {
	all  string
	ends []uint32
}

func (t *texts) at(i int) (string, bool) {
	if i < 0 || i >= len(t.ends) {
		return "", false
	}
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.all[from:t.ends[i]], true
}

// sharedStrings reads the texts that cells refer to by number.
func (b *book) sharedStrings(ctx context.Context) error {
	const name = "xl/sharedStrings.xml"
	f := b.file(name)
	if f == nil {
		return nil
	}
	most := min(b.most, 1<<31)
	r, err := f.Open()
	if err != nil {
		return b.damaged(name, err)
	}
	err = b.strings.read(ctx, stdxml.NewDecoder(contextReader{ctx, r}), int(most))
	return b.damaged(name, errors.Join(err, r.Close()))
}

func (t *texts) read(ctx context.Context, dec *stdxml.Decoder, most int) error {
	var all strings.Builder
	take, phonetic := false, false
	for {
		tok, err := dec.RawToken()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case stdxml.StartElement:
			take = tok.Name.Local == "t" && !phonetic
			phonetic = phonetic || tok.Name.Local == "rPh"
		case stdxml.EndElement:
			take = false
			switch tok.Name.Local {
			case "rPh":
				phonetic = false
			case "si":
				t.ends = append(t.ends, uint32(all.Len()))
			case "sst":
				t.all = all.String()
				return nil
			}
		case stdxml.CharData:
			if take {
				all.Write(tok)
			}
			if all.Len()+16*len(t.ends) > most {
				return fault.New(fault.Limit, "the workbook has more than %d bytes of shared text", most).WithHint("raise max_strings, or save it as CSV, which needs no memory")
			}
		}
	}
}

// styles reads which number format each style has.
func (b *book) styles() error {
	var sheet struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Styles []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.unmarshal("xl/styles.xml", &sheet); err != nil {
		return err
	}
	custom := map[int]numberFormat{}
	for _, f := range sheet.Formats {
		custom[f.ID] = parseFormat(f.Code)
	}
	for _, s := range sheet.Styles {
		f, ok := custom[s.Format]
		if !ok {
			f = builtin(s.Format)
		}
		b.formats = append(b.formats, f)
	}
	return nil
}
