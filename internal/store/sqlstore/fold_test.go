package sqlstore_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// foldIn lets the database fold texts.
func foldIn(t *testing.T, s *sqlstore.Store, texts []string) []string {
	t.Helper()
	ctx := context.Background()
	out := make([]string, len(texts))
	err := s.Read(ctx, func(tx record.Tx) error {
		for i, text := range texts {
			var err error
			if db := tx.(*sqlstore.Tx).SQL(); db != nil {
				err = db.QueryRowContext(ctx, "SELECT hr_fold(?)", text).Scan(&out[i])
			} else {
				err = tx.(*sqlstore.Tx).PGX().QueryRow(ctx, "SELECT hr_fold($1)", text).Scan(&out[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every code point, in texts long enough to be quick and short enough that each of PostgreSQL's ways to fold is taken.
func TestDatabasesFoldEveryCodePointAsQueryDoes(t *testing.T) {
	var texts []string
	for _, step := range []int{64, 5000} {
		var b strings.Builder
		for r := rune(1); r <= utf8.MaxRune; r++ {
			if utf8.ValidRune(r) {
				b.WriteRune(r)
			}
			if int(r)%step == 0 && (step > 64 || r < 0x3000) || r == utf8.MaxRune {
				texts = append(texts, b.String())
				b.Reset()
			}
		}
	}
	for _, r := range "ÀÞĀŽΑΩАЯЁԀႠᎠẞⰀＡ𐐀𞤀İKÅ" {
		texts = append(texts, string(r), "a"+string(r)+"Z", string(r)+"ß漢")
	}
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := stores.Open(t, cfg)
		for i, got := range foldIn(t, s, texts) {
			if want := query.Fold(texts[i]); got != want {
				t.Errorf("text %d, from %q on: folded to %q, want %q", i, []rune(texts[i])[0], clip(got), clip(want))
			}
		}
	})
}

func clip(s string) string { return s[:min(len(s), 80)] }
