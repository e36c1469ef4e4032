package advisor

// Matching gives the ids of all rows that hold for the answers, those they are like included.
func Matching(a Answers) []string {
	full, _ := a.completed()
	var ids []string
	for _, r := range matching(full) {
		ids = append(ids, r.id+r.like)
	}
	return ids
}

// RowKeys lists the questions that choose the row.
func RowKeys() []string {
	var all cond
	for _, r := range rows {
		all = append(all, r.when...)
	}
	return all.keys()
}

// Uses lists every key and value that the tables test for, and every pattern that they name.
func Uses() (tests map[string][]string, patternIDs []string) {
	tests = map[string][]string{}
	note := func(conds ...cond) {
		for _, c := range conds {
			for _, all := range c {
				for _, t := range all {
					tests[t.key] = append(tests[t.key], t.values...)
				}
			}
		}
	}
	for _, r := range rows {
		note(r.when)
		for _, c := range r.ranked {
			note(c.need, c.shown)
			patternIDs = append(patternIDs, c.pattern)
		}
	}
	for _, e := range effects {
		note(e.when)
		for _, p := range patterns {
			if e.touches(p.ID) {
				patternIDs = append(patternIDs, p.ID)
			}
		}
	}
	for _, f := range fills {
		note(f.when, on(f.key+"="+f.value))
	}
	for _, c := range conflicts {
		note(c.when)
	}
	for _, a := range advices {
		note(a.when)
	}
	for _, u := range unlocks {
		note(u.when)
	}
	for _, l := range picture1 {
		note(l.when)
	}
	for _, c := range picture2 {
		note(c.when, c.given)
		patternIDs = append(patternIDs, c.pattern)
	}
	for _, x := range textRules {
		note(x.when, x.given)
	}
	return tests, patternIDs
}
