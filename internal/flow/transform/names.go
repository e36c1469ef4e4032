package transform

import (
	"sort"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"headrace/internal/core/record"
)

// ColumnName makes the name of a staging or derived column from a header: lower case, each character that is neither
// letter nor digit becomes _, accents are dropped, other letters spelled by code point; at most 63 bytes, a longer
// name ends in a hash of the whole. Runs of _ stay, as in the field's platform; no prefix is added.
func ColumnName(header string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.TrimSpace(header)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if s, known := letters[unicode.ToLower(r)]; known {
				b.WriteString(s)
			} else {
				b.WriteString("x" + strconv.FormatInt(int64(r), 16))
			}
		default:
			b.WriteByte('_')
		}
	}
	name := b.String()
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "u_" + strings.TrimLeft(name, "_")
	}
	if len(name) > record.MaxName {
		name = name[:record.MaxName-9] + "_" + record.IDFrom("column", header)[:8]
	}
	return name
}

var letters = map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ł': "l", 'þ': "th", 'ð': "d", 'ı': "i"}

// ColumnNames makes the names of all columns, unique: a second one gets _2.
func ColumnNames(headers []string) []string {
	names := make([]string, len(headers))
	taken := map[string]bool{}
	for i, h := range headers {
		name := ColumnName(h)
		for n := 2; taken[name] || record.IsSystemField(name); n++ {
			suffix := "_" + strconv.Itoa(n)
			base := ColumnName(h)
			name = base[:min(len(base), record.MaxName-len(suffix))] + suffix
		}
		taken[name] = true
		names[i] = name
	}
	return names
}

// FindColumn finds the column a map means: by its header to the letter, by its column name, with or without u_.
// It returns -1 when there is none.
func FindColumn(headers []string, want string) int {
	for i, h := range headers {
		if h == want {
			return i
		}
	}
	names := ColumnNames(headers)
	for _, form := range []string{want, ColumnName(want), strings.TrimPrefix(want, "u_")} {
		for i, n := range names {
			if n == form {
				return i
			}
		}
	}
	return -1
}

// Suggestion proposes a field map with a score of 0 to 100. Scores of Sure and more are names that say the same.
type Suggestion struct {
	Column string `json:"column"`
	Field  string `json:"field"`
	Score  int    `json:"score"`
}

// Sure is the score from which a suggestion is used without asking.
const Sure = 90

// Suggest pairs the columns of a source with the fields of a table, each at most once, best pairs first.
func Suggest(headers []string, target *record.Table) []Suggestion {
	var all []Suggestion
	for _, h := range headers {
		for i := range target.Fields {
			f := &target.Fields[i]
			if record.IsSystemField(f.Name) {
				continue
			}
			if score := similarity(h, f); score >= 50 {
				all = append(all, Suggestion{h, f.Name, score})
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Score > all[j].Score })
	usedColumn, usedField := map[string]bool{}, map[string]bool{}
	var out []Suggestion
	for _, s := range all {
		if !usedColumn[s.Column] && !usedField[s.Field] {
			usedColumn[s.Column], usedField[s.Field] = true, true
			out = append(out, s)
		}
	}
	return out
}

func similarity(header string, f *record.Field) int {
	h, name, label := plain(header), plain(f.Name), plain(f.Label)
	switch {
	case header == f.Name:
		return 100
	case h == name:
		return 98
	case h == label:
		return 95
	}
	return max(overlap(header, f.Name), overlap(header, f.Label))
}

// plain is the name without prefix, case and separators.
func plain(s string) string {
	return strings.ReplaceAll(strings.TrimPrefix(ColumnName(s), "u_"), "_", "")
}

// overlap scores shared words, up to 85.
func overlap(a, b string) int {
	wa, wb := words(a), words(b)
	if len(wa) == 0 || len(wb) == 0 {
		return 0
	}
	shared := 0
	for w := range wa {
		if wb[w] {
			shared++
		}
	}
	return 85 * 2 * shared / (len(wa) + len(wb))
}

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.TrimPrefix(ColumnName(s), "u_"), func(r rune) bool { return r == '_' }) {
		out[w] = true
	}
	return out
}
