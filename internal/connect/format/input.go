package format

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// SampleSize is how many bytes of a source decide what cannot be asked: charset, dialect, row element.
const SampleSize = 256 << 10

// Input is a text source made ready for a parser: unpacked, decoded to UTF-8, its byte order mark taken off.
type Input struct {
	io.Reader        // from the beginning, Sample included
	Sample    []byte // the first bytes, decoded
	Whole     bool   // Sample is all there is
	Charset   string // as the options name it: "utf-8", "windows-1252"
	BOM       bool
	Verified  bool   // the text is valid UTF-8 because it was decoded; otherwise it may hold bytes that are not
	Offset    int64  // bytes of the unpacked source before the first one of Reader
	Note      string // how the charset was found, "" when nothing had to be decided
}

// TextOptions describes the options of every format that reads through OpenText.
func TextOptions() []record.Field {
	charset := record.Field{Name: "charset", Label: "Character set", Type: record.String,
		Help: "utf-8, utf-16le, utf-16be, utf-32, windows-1252, iso-8859-15, shift_jis, ...; found when absent: byte order mark, else valid UTF-8, else windows-1252"}
	return append([]record.Field{charset}, PackOptions()...)
}

// OpenText unpacks r and finds its character set: the option charset, else a byte order mark, else UTF-8 when the sample
// is, else what declared(sample) names (may be nil), else windows-1252. An empty source and one that is no text at all
// are Invalid, and the fault says what the bytes look like.
func OpenText(r io.Reader, o Options, declared func(sample []byte) string) (*Input, error) {
	br, err := Unpack(r, o)
	if err != nil {
		return nil, err
	}
	sample, err := readSample(br)
	if len(sample) == 0 {
		if err == io.EOF {
			err = empty()
		}
		return nil, err
	}
	in := &Input{Sample: sample, Whole: err == io.EOF}
	rest := io.Reader(br)
	if err != nil {
		rest = failed{err}
	}
	if err := in.decide(o["charset"], declared); err != nil {
		return nil, err
	}
	return in, in.decode(rest)
}

func empty() error {
	return fault.New(fault.Invalid, "the source is empty").WithHint("zero bytes are never a complete export: check how the file was made")
}

// failed is what is left of a source whose reading went wrong within the sample.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

func readSample(r *bufio.Reader) ([]byte, error) {
	b := make([]byte, SampleSize)
	n, err := io.ReadFull(r, b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return b[:n], err
}

var marks = []struct {
	mark    string
	charset string
}{{"\xef\xbb\xbf", "utf-8"}, {"\xff\xfe\x00\x00", "utf-32le"}, {"\x00\x00\xfe\xff", "utf-32be"}, {"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"}}

// decide settles charset and note, takes a byte order mark off the sample, and refuses what is no text.
func (in *Input) decide(asked string, declared func([]byte) string) error {
	marked := ""
	for _, m := range marks {
		if bytes.HasPrefix(in.Sample, []byte(m.mark)) {
			marked, in.BOM, in.Offset = m.charset, true, int64(len(m.mark))
			in.Sample = in.Sample[len(m.mark):]
			break
		}
	}
	if in.BOM && len(in.Sample) == 0 && in.Whole {
		return empty()
	}
	if !in.BOM {
		if kind := Binary(in.Sample); kind != "" && wide(in.Sample) == "" && !isWide(asked) {
			return fault.New(fault.Invalid, "the source is not text: it looks like %s", kind).WithHint("%s", binaryHint(kind))
		}
	}
	switch {
	case asked != "":
		in.Charset = strings.ToLower(asked)
	case marked != "":
		in.Charset, in.Note = marked, "charset "+marked+" (byte order mark)"
	case wide(in.Sample) != "":
		in.Charset = wide(in.Sample)
		in.Note = "charset " + in.Charset + " (guessed)"
	default:
		in.Charset, in.Note = narrow(in.Sample, in.Whole, declared)
	}
	return nil
}

// narrow chooses among character sets whose ASCII is ASCII. Text with some broken characters among many good ones is
// UTF-8 with broken rows, not windows-1252.
func narrow(sample []byte, whole bool, declared func([]byte) string) (charset, note string) {
	good, bad := 0, 0
	for b := sample; len(b) > 0; {
		if i := bytes.IndexFunc(b, func(r rune) bool { return r >= utf8.RuneSelf }); i < 0 {
			break
		} else {
			b = b[i:]
		}
		_, n := utf8.DecodeRune(b)
		if n > 1 {
			good++
		} else if whole || utf8.FullRune(b) {
			bad++
		}
		b = b[n:]
	}
	said := ""
	if declared != nil {
		said = strings.ToLower(declared(sample))
	}
	switch {
	case said != "" && (said != "utf-8" || bad <= good):
		return said, "charset " + said + " (declared)"
	case bad > good:
		return "windows-1252", "charset windows-1252 (guessed)"
	}
	return "utf-8", ""
}

// isWide reports whether a charset's ASCII has zero bytes.
func isWide(charset string) bool {
	charset = strings.ToLower(charset)
	return strings.HasPrefix(charset, "utf-16") || strings.HasPrefix(charset, "utf-32")
}

// wide guesses UTF-16 without a byte order mark from where its zero bytes are.
func wide(sample []byte) string {
	n := min(len(sample), 4096) &^ 1
	var zeros [2]int
	for i := range n {
		if sample[i] == 0 {
			zeros[i&1]++
		}
	}
	switch half := n / 2; {
	case half > 4 && zeros[1]*10 > half*7 && zeros[0]*10 < half:
		return "utf-16le"
	case half > 4 && zeros[0]*10 > half*7 && zeros[1]*10 < half:
		return "utf-16be"
	}
	return ""
}

// decode puts sample and rest together behind a decoder.
func (in *Input) decode(rest io.Reader) error {
	if in.Charset == "utf8" {
		in.Charset = "utf-8"
	}
	all := io.MultiReader(bytes.NewReader(in.Sample), rest)
	if in.Charset == "utf-8" {
		in.Reader = all
		return nil
	}
	enc, err := encodingOf(in.Charset)
	if err != nil {
		return err
	}
	in.Verified = true
	br := bufio.NewReaderSize(enc.NewDecoder().Reader(all), 64<<10)
	sample, err := readSample(br)
	in.Sample, in.Whole = sample, err == io.EOF
	rest = br
	if err != nil {
		rest = failed{err}
	}
	in.Reader = io.MultiReader(bytes.NewReader(sample), rest)
	return nil
}

func encodingOf(name string) (encoding.Encoding, error) {
	switch name {
	case "windows-1252":
		return charmap.Windows1252, nil
	case "utf-16le", "utf-16":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), nil
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), nil
	case "utf-32le", "utf-32":
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), nil
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), nil
	}
	enc, err := htmlindex.Get(name)
	if err != nil || enc == encoding.Replacement {
		return nil, fault.New(fault.Invalid, "unknown charset %q", name).WithHint("for instance utf-8, utf-16le, windows-1252, iso-8859-15, shift_jis")
	}
	return enc, nil
}

// Encode returns a writer that turns UTF-8 into charset, behind a byte order mark when asked for and there is one.
// Characters the charset does not have become its replacement. Writes must end with a whole character.
func Encode(w io.Writer, charset string, bom bool) (io.Writer, error) {
	if charset = strings.ToLower(charset); charset == "" || charset == "utf8" {
		charset = "utf-8"
	}
	for _, m := range marks {
		if bom && m.charset == charset {
			if _, err := io.WriteString(w, m.mark); err != nil {
				return nil, err
			}
		}
	}
	if charset == "utf-8" {
		return w, nil
	}
	enc, err := encodingOf(charset)
	if err != nil {
		return nil, err
	}
	return encoding.ReplaceUnsupported(enc.NewEncoder()).Writer(w), nil
}

// Columns makes names of a header usable: trimmed, never empty, unique. It notes what it changed.
func Columns(raw []string) (columns, notes []string) {
	seen := make(map[string]bool, len(raw))
	for i, name := range raw {
		name = strings.TrimSpace(name)
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
			notes = append(notes, fmt.Sprintf("column %d has no name in the header: called %s", i+1, name))
		}
		unique := name
		for n := 2; seen[unique] || unique != name && slices.Contains(raw, unique); n++ {
			unique = fmt.Sprintf("%s_%d", name, n)
		}
		if unique != name {
			notes = append(notes, fmt.Sprintf("column %d repeats the name %s: called %s", i+1, name, unique))
		}
		seen[unique] = true
		columns = append(columns, unique)
	}
	return columns, notes
}
