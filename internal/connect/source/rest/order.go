package rest

import (
	"math/big"
	"regexp"
	"strings"
)

// order is what the keys so far can be ordered by: every pair of neighbours rules out the orders it contradicts.
type order struct {
	out [6]bool
}

var integer = regexp.MustCompile(`^-?[0-9]{1,100}$`)

// takes reports whether b may follow a in one of the orders that are left: as numbers, as bytes or as letters without
// their case, rising or falling.
func (o *order) takes(a, b string) bool {
	signs := [3]int{0, strings.Compare(a, b), strings.Compare(strings.ToLower(a), strings.ToLower(b))}
	if integer.MatchString(a) && integer.MatchString(b) {
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		signs[0] = x.Cmp(y)
	}
	left := false
	for i, sign := range signs {
		o.out[2*i] = o.out[2*i] || sign >= 0
		o.out[2*i+1] = o.out[2*i+1] || sign <= 0
		left = left || !o.out[2*i] || !o.out[2*i+1]
	}
	return left
}
