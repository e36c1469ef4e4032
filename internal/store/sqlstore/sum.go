package sqlstore

import (
	"math/big"
	"strconv"
	"strings"
)

// decimalSum is the aggregate hr_sum: an exact sum of whole numbers and decimals, null when there are none.
type decimalSum struct {
	whole big.Int // in units of the last place a decimal may have
	any   bool
}

func newDecimalSum() *decimalSum { return &decimalSum{} }

// Step adds one value as SQLite hands it over.
func (s *decimalSum) Step(v any) {
	var text string
	switch v := v.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case string:
		text = v
	default:
		return
	}
	s.any = true
	whole, fraction, _ := strings.Cut(text, ".")
	n, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", max(0, averagePlaces-len(fraction))), 10)
	if ok {
		s.whole.Add(&s.whole, n)
	}
}

// Done gives the sum as canonical text.
func (s *decimalSum) Done() any {
	if !s.any {
		return nil
	}
	digits := s.whole.String()
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	digits = strings.Repeat("0", max(0, averagePlaces+1-len(digits))) + digits
	at := len(digits) - averagePlaces
	return sign + trimDecimal(digits[:at]+"."+digits[at:])
}
