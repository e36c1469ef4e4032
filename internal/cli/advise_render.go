package cli

import (
	"fmt"
	"strings"

	"headrace/internal/flow/advisor"
)

// adviseRenderers write the advice, and the project if one was made of it.
var adviseRenderers = map[string]func(advisor.Result, *created) string{
	"text":     func(r advisor.Result, made *created) string { return adviseText(r) + made.text() },
	"json":     adviseJSON,
	"markdown": func(r advisor.Result, _ *created) string { return adviseMarkdown(r) },
	"mermaid":  func(r advisor.Result, _ *created) string { return adviseMermaid(r) },
}

// adviseText writes one fact a line: what to use, what then, what is closed, what would change that.
func adviseText(r advisor.Result) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-7s %s\n", label, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	if r.First == nil {
		line("cannot", "integrate, as far as known   rule %s: %s", r.Rule, reasonOf(r))
	}
	width := 0
	for _, c := range r.Ranked {
		width = max(width, len(c.Pattern)+1+len(c.Title))
	}
	for n, c := range r.Ranked {
		line(labelOf(n, c), "%-*s %4d   %s", width, c.Pattern+" "+c.Title, c.Score, remarkOf(n, c, r))
	}
	for _, p := range r.Preferences {
		line("prefers", "%s (%s)", p.Way, p.ID)
	}
	for _, f := range r.Flips {
		line("flips", "%s -> %s (%d)", f.What, f.First, f.Score)
	}
	for _, u := range r.Unlocks {
		line("unlocks", "%s", unlockText(u))
	}
	for _, n := range adviseNotes(r) {
		line(n[0], "%s", n[1])
	}
	return b.String()
}

func labelOf(n int, c advisor.Choice) string {
	switch {
	case !c.Feasible:
		return "not"
	case n == 0:
		return "use"
	}
	return "then"
}

func reasonOf(r advisor.Result) string {
	if why := r.Cannot(); why != "" {
		return why
	}
	return r.Because()
}

// remarkOf is what stands behind the score: the rule of the first, what the others miss, and sums that moved.
func remarkOf(n int, c advisor.Choice, r advisor.Result) string {
	var words []string
	switch {
	case !c.Feasible:
		words = append(words, closedBy(c))
	case n == 0:
		words = append(words, "rule "+r.Rule+": "+r.Because())
	}
	if len(c.Arithmetic) > 1 {
		words = append(words, "= "+sumOf(c.Arithmetic))
	}
	if c.Feasible && !c.Available {
		words = append(words, "("+c.Note+")")
	}
	return strings.Join(words, "  ")
}

// closedBy says what makes a choice infeasible: capabilities that it needs, or a rule that shuts it out.
func closedBy(c advisor.Choice) string {
	words := make([]string, len(c.Missing))
	for i, m := range c.Missing {
		if words[i] = m; !strings.Contains(m, ": ") {
			words[i] = "needs " + m
		}
	}
	return strings.Join(words, "; ")
}

func sumOf(steps []advisor.Step) string {
	var b strings.Builder
	for n, s := range steps {
		sign := "+ "
		if s.Points < 0 {
			sign = "- "
		}
		if n == 0 {
			fmt.Fprintf(&b, "%d %s", s.Points, s.Rule)
			continue
		}
		fmt.Fprintf(&b, " %s%d %s", sign, max(s.Points, -s.Points), s.Rule)
	}
	return b.String()
}

func unlockText(u advisor.Unlock) string {
	if u.Ask != "" {
		return u.Text + "; ask " + u.Ask
	}
	return u.Text + " (" + u.Rule + ")"
}

// adviseNotes are the lines below the ranking, as label and text.
func adviseNotes(r advisor.Result) [][2]string {
	var notes [][2]string
	for _, t := range r.Texts {
		notes = append(notes, [2]string{"rule", t.Rule + " " + t.Text})
	}
	for _, w := range r.Warnings {
		notes = append(notes, [2]string{"note", w.Rule + " " + w.Text})
	}
	add := func(label, lead string, words []string) {
		if len(words) > 0 {
			notes = append(notes, [2]string{label, lead + strings.Join(words, ", ")})
		}
	}
	if r.First != nil && r.Ranked[0].Available {
		add("runs", r.Ranked[0].Pattern+": ", []string{r.Ranked[0].Note})
	}
	add("assumed", "", r.Assumed)
	add("unknown", "counted as no: ", r.Unknowns)
	add("open", "could still change it: ", r.Open)
	add("builds", "", partNames(r.Artefacts))
	return notes
}

func partNames(parts []advisor.Artefact) []string {
	var names []string
	for _, p := range parts {
		if p.Required {
			names = append(names, p.Name)
		}
	}
	return names
}

// adviseMarkdown is the same advice as a page to hand round, with every reason.
func adviseMarkdown(r advisor.Result) string {
	var b strings.Builder
	heading := "Cannot integrate, as far as known"
	if r.First != nil {
		heading = "Use " + r.Ranked[0].Pattern + " " + r.Ranked[0].Title
	}
	fmt.Fprintf(&b, "# %s\n\nRule %s: %s. %s.\n", heading, r.Rule, reasonOf(r), upperFirst(r.Reason))
	fmt.Fprint(&b, "\n| | pattern | score | runs here | reasons | missing |\n|---|---|---|---|---|---|\n")
	for n, c := range r.Ranked {
		fmt.Fprintf(&b, "| %s | %s %s | %d = %s | %s | %s | %s |\n", labelOf(n, c), c.Pattern, c.Title, c.Score, sumOf(c.Arithmetic),
			c.Note, strings.Join(c.Reasons, "<br>"), strings.Join(c.Missing, "<br>"))
	}
	section(&b, "The article prefers", r.Preferences, func(p advisor.Preference) string { return p.Way + " (" + p.ID + ")" })
	section(&b, "What would flip it", r.Flips, func(f advisor.Flip) string {
		return fmt.Sprintf("%s -> %s (%d), rule %s", f.What, f.First, f.Score, f.Rule)
	})
	section(&b, "What would open a way", r.Unlocks, unlockText)
	section(&b, "Notes", adviseNotes(r), func(n [2]string) string { return n[0] + ": " + n[1] })
	return b.String()
}

func section[T any](b *strings.Builder, title string, items []T, text func(T) string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for _, item := range items {
		fmt.Fprintf(b, "- %s\n", text(item))
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// adviseMermaid draws the path of the decision: the situation, the row, and the ways tried in their order.
func adviseMermaid(r advisor.Result) string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	from, edge := "", ""
	node := func(id, shape string) {
		if from != "" {
			fmt.Fprintf(&b, "  %s -->%s %s\n", from, edge, id)
		}
		fmt.Fprintf(&b, "  %s%s\n", id, shape)
		from, edge = id, ""
	}
	for n, t := range r.Path {
		node(fmt.Sprintf("q%d", n), fmt.Sprintf("{%s}", quoted(t.Ask)))
		edge = fmt.Sprintf("|%s|", quoted(t.Answer))
	}
	node("row", fmt.Sprintf("[%s]", quoted(r.Row+": "+r.Reason)))
	for n, c := range r.Ranked {
		if c.Feasible {
			node(fmt.Sprintf("p%d", n), fmt.Sprintf("([%s])", quoted(fmt.Sprintf("%s: %s %s, %d", labelOf(n, c), c.Pattern, c.Title, c.Score))))
			edge = `|"else"|`
		}
	}
	for n, c := range r.Ranked {
		if !c.Feasible {
			fmt.Fprintf(&b, "  row -.->|%s| x%d[%s]\n", quoted(closedBy(c)), n, quoted(fmt.Sprintf("%s %s, %d", c.Pattern, c.Title, c.Score)))
		}
	}
	if r.First == nil {
		fmt.Fprintf(&b, "  row --> none([%s])\n", quoted("cannot integrate, as far as known"))
	}
	for n, f := range r.Flips {
		fmt.Fprintf(&b, "  row -.->|%s| f%d([%s])\n", quoted("flips: "+f.What), n, quoted(fmt.Sprintf("%s, %d", f.First, f.Score)))
	}
	return b.String()
}

// quoted is text as Mermaid takes it whole, whatever signs it holds.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, "#quot;") + `"` }
