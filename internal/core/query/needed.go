package query

// Needed lists terms that every record must meet that meets the condition: there may be more.
func Needed(n Node) []*Term {
	switch n := n.(type) {
	case *Term:
		return []*Term{n}
	case *And:
		var out []*Term
		for _, p := range n.Parts {
			out = append(out, Needed(p)...)
		}
		return out
	case *Or:
		if len(n.Parts) == 1 {
			return Needed(n.Parts[0])
		}
	}
	return nil
}
