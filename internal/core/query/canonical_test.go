package query_test

import (
	"math/big"
	"sort"
	"strings"
	"testing"
	"unicode"

	"headrace/internal/core/query"
)

func TestCanonicalForms(t *testing.T) {
	for _, c := range []struct {
		kind     query.Kind
		text     string
		want     string
		rejected bool
	}{
		{query.Number, "0", "0", false}, {query.Number, "-0", "0", false}, {query.Number, "+1", "1", false}, {query.Number, "00", "0", false},
		{query.Number, ".50", "0.5", false}, {query.Number, "5.", "5", false}, {query.Number, "-00.10", "-0.1", false}, {query.Number, " 7 ", "7", false},
		{query.Number, "-0.5", "-0.5", false}, {query.Number, "123.45", "123.45", false}, {query.Number, "-12", "-12", false},
		{query.Number, "", "", true}, {query.Number, ".", ".", true}, {query.Number, "-", "-", true}, {query.Number, "1e3", "1e3", true},
		{query.Number, "--1", "--1", true}, {query.Number, "+-1", "+-1", true}, {query.Number, "1.2.3", "1.2.3", true}, {query.Number, "٣", "٣", true},
		{query.Bool, "True", "true", false}, {query.Bool, "0", "false", false}, {query.Bool, "2", "2", true},
		{query.Date, "2024-02-29", "2024-02-29", false}, {query.Date, "2023-02-29", "2023-02-29", true}, {query.Date, "0000-01-01", "0000-01-01", true},
		{query.DateTime, "2024-02-29", "2024-02-29 00:00:00", false}, {query.DateTime, "2024-02-29 24:00:00", "2024-02-29 24:00:00", true},
		{query.DateTime, "2024-02-29 10:11", "2024-02-29 10:11:00", false}, {query.DateTime, "2024-02-29T10:11:12Z", "2024-02-29 10:11:12", false},
		{query.DateTime, "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00", true}, {query.DateTime, "2024-2-9", "2024-2-9", true},
		{query.Text, " A ", " A ", false}, {query.Exact, "A", "A", false}, {query.Reference, "A", "A", false},
	} {
		got, ok := query.Canonical(c.kind, c.text)
		if got != c.want || ok == c.rejected {
			t.Errorf("%d %q: got %q, %v", c.kind, c.text, got, ok)
		}
	}
}

func TestCompareOrders(t *testing.T) {
	for kind, sorted := range map[query.Kind][]string{
		query.Text:     {"", "A", "a", "AB", "b", "z", "ä"},
		query.Number:   {"-10.5", "-10", "-9.75", "-9.7", "0", "0.05", "0.5", "1", "9", "10", "10.01", "99999999999999999999", "100000000000000000000", "x", "y"},
		query.Exact:    {"A", "B", "a"},
		query.Bool:     {"false", "true"},
		query.DateTime: {"2023-12-31 23:59:59", "2024-01-01 00:00:00"},
	} {
		for i, a := range sorted {
			for j, b := range sorted {
				if got := query.Compare(kind, a, b); sign(got) != sign(i-j) {
					t.Errorf("kind %d: %q and %q: %d", kind, a, b, got)
				}
			}
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestFoldingTwiceIsFoldingOnce(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So) { // case is nowhere else
			continue
		}
		once := query.Fold(string(r))
		if query.Fold(once) != once {
			t.Errorf("%U: %q then %q", r, once, query.Fold(once))
		}
	}
}

func FuzzCompareNumbers(f *testing.F) {
	f.Add("1.5", "-2")
	f.Add("0.05", ".5")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, xok := query.Canonical(query.Number, a)
		y, yok := query.Canonical(query.Number, b)
		if !xok || !yok || len(a)+len(b) > 200 {
			return
		}
		p, pok := new(big.Rat).SetString(x)
		q, qok := new(big.Rat).SetString(y)
		if !pok || !qok {
			t.Fatalf("%q or %q is canonical and no number", x, y)
		}
		if got := query.Compare(query.Number, x, y); sign(got) != p.Cmp(q) || (x == y) != (got == 0) {
			t.Errorf("%q and %q: %d", x, y, got)
		}
		if again, ok := query.Canonical(query.Number, x); again != x || !ok {
			t.Errorf("%q became %q", x, again)
		}
	})
}

func FuzzCompareText(f *testing.F) {
	f.Add("Größe", "GRÖSSE")
	f.Add("\xff", "\u212a")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := strings.Compare(query.Fold(a), query.Fold(b))
		if want == 0 {
			want = strings.Compare(a, b)
		}
		if got := query.Compare(query.Text, a, b); sign(got) != want {
			t.Errorf("%q and %q: %d, want %d", a, b, got, want)
		}
	})
}

func TestCompareSortsAlikeWhateverTheOrderGiven(t *testing.T) {
	given := []string{"b", "B", "a", "Ä", "ä", "A", ""}
	want := []string{"", "A", "a", "B", "b", "Ä", "ä"}
	sort.Slice(given, func(i, j int) bool { return query.Compare(query.Text, given[i], given[j]) < 0 })
	if strings.Join(given, ",") != strings.Join(want, ",") {
		t.Errorf("got %q", given)
	}
}
