package csv

import (
	"fmt"

	"headrace/internal/core/fault"
)

func ragged(line int64, got, want int) string {
	if got < want {
		return fmt.Sprintf("line %d has %d cells, the header has %d; ragged=pad accepts short rows", line, got, want)
	}
	return fmt.Sprintf("line %d has %d cells, the header has %d; is a delimiter inside a cell that is not quoted?", line, got, want)
}

func tooLong(limit int) string {
	return fmt.Sprintf("the row is longer than %d bytes; raise max_cell if that is right", limit)
}

func strayQuote(line int64, cell int, quote byte) string {
	return fmt.Sprintf("line %d, cell %d: a %c stands in the wrong place; double it, or give quotes=lax or escape=backslash", line, cell, quote)
}

func openQuote(line int64, quote byte) string {
	return fmt.Sprintf("line %d: a cell opened with %c is never closed; reading went on with the next line; quote=none reads quotes as ordinary characters", line, quote)
}

func manyOpen(line int64, quote byte) error {
	return fault.New(fault.Invalid, "line %d: more than %d rows open a %c that is never closed", line, maxRescans, quote).
		WithHint("the quote character is probably another one: give quote=none or quotes=lax")
}
