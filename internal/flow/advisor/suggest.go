package advisor

import (
	"fmt"
	"strings"
)

// suggest names the nearest of the known words when word looks like a slip of it, else all of them.
func suggest(word string, known []string, lead string) string {
	best, distance := "", len(word)/3+2
	for _, k := range known {
		if d := edits(strings.ToLower(word), k); d < distance {
			best, distance = k, d
		}
	}
	all := fmt.Sprintf("%s %s", lead, strings.Join(known, ", "))
	if best == "" {
		return all
	}
	return fmt.Sprintf("did you mean %q? %s", best, all)
}

// edits is the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
