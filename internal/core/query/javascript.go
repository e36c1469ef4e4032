package query

import (
	"strconv"
	"strings"
	"time"
)

// Env is what values of a query may depend on: the time and who asks.
type Env struct {
	Now         time.Time      // the present; zero is the clock's
	Zone        *time.Location // where days begin for the caller; nil is UTC
	UserID      string         // gs.getUserID()
	UserName    string         // gs.getUserName()
	UserDisplay string         // gs.getUserDisplayName()
	// Dynamic resolves the id of a dynamic filter option into the values the field may have. nil knows none.
	Dynamic func(id string) (values []string, ok bool)
	// IDValue finds the id of a table's record by its display value, for GetIDValue. nil knows none.
	IDValue func(table, display string) (id string, ok bool)
}

// script marks a value that is computed where the query is read.
const script = "javascript:"

// result is what an expression comes to: a text, or a moment, which each kind of field writes in its own way.
type result struct {
	text   string
	moment time.Time
}

// call is a function call with literal arguments, the only form of expression that is understood.
type call struct {
	name string
	args []string
}

// arg is the argument at i, or "".
func (c *call) arg(i int) string {
	if i < len(c.args) {
		return c.args[i]
	}
	return ""
}

// parseCall reads name(args...). Arguments are numbers or strings in either quotes; %20 counts as a blank, since
// clients leave it in.
func parseCall(expr string) (call, bool) {
	expr = strings.TrimSpace(strings.ReplaceAll(expr, "%20", " "))
	expr = strings.TrimSpace(strings.TrimRight(expr, "; "))
	open := strings.IndexByte(expr, '(')
	if open < 0 || expr[len(expr)-1] != ')' {
		return call{}, false
	}
	args, ok := parseArgs(expr[open+1 : len(expr)-1])
	return call{strings.TrimSpace(expr[:open]), args}, ok
}

func parseArgs(text string) ([]string, bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, true
	}
	var args []string
	for {
		arg, rest, ok := parseArg(text)
		if !ok {
			return nil, false
		}
		args = append(args, arg)
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			return args, true
		}
		if rest[0] != ',' {
			return nil, false
		}
		text = strings.TrimLeft(rest[1:], " ")
	}
}

func parseArg(text string) (arg, rest string, ok bool) {
	if text == "" {
		return "", "", false
	}
	if quote := text[0]; quote == '\'' || quote == '"' {
		end := strings.IndexByte(text[1:], quote)
		if end < 0 || strings.Contains(text[1:1+end], `\`) {
			return "", "", false
		}
		return text[1 : 1+end], text[end+2:], true
	}
	arg, rest = text, ""
	if i := strings.IndexAny(text, ", "); i >= 0 {
		arg, rest = text[:i], text[i:]
	}
	_, err := strconv.Atoi(arg)
	return arg, rest, err == nil
}

// eval computes a call in the minimum set that queries use. ok is false for everything else.
func (e *Env) eval(expr string) (result, bool) {
	c, ok := parseCall(expr)
	if !ok {
		return result{}, false
	}
	switch c.name {
	case "gs.getUserID":
		return result{text: e.UserID}, true
	case "gs.getUserName":
		return result{text: e.UserName}, true
	case "gs.getUserDisplayName":
		return result{text: e.UserDisplay}, true
	case "GetIDValue", "gs.GetIDValue":
		if e.IDValue == nil || len(c.args) != 2 {
			return result{}, false
		}
		id, found := e.IDValue(c.args[0], c.args[1])
		return result{text: id}, found
	}
	t, ok := e.evalMoment(&c)
	return result{moment: t}, ok && !t.IsZero() && inCalendar(t.UTC()) && inCalendar(t)
}

func (e *Env) evalMoment(c *call) (time.Time, bool) {
	name, gs := strings.CutPrefix(c.name, "gs.")
	if !gs {
		return time.Time{}, false
	}
	switch name {
	case "now", "nowDateTime":
		return e.Now, len(c.args) == 0
	case "dateGenerate":
		return e.dateGenerate(c)
	}
	if of, found := strings.CutPrefix(name, "beginningOf"); found {
		s, ok := spanOf(of, e.Now)
		return s.start, ok
	}
	if of, found := strings.CutPrefix(name, "endOf"); found {
		s, ok := spanOf(of, e.Now)
		return s.end, ok
	}
	return e.ago(name, c)
}

// ago computes daysAgo(n), daysAgoStart(n), daysAgoEnd(n) and their like for the other units.
func (e *Env) ago(name string, c *call) (time.Time, bool) {
	units, edge, found := strings.Cut(name, "Ago")
	u, ok := unitNamed(units)
	n, err := strconv.Atoi(c.arg(0))
	if !found || !ok || err != nil || len(c.args) != 1 || n > maxDistance || n < -maxDistance {
		return time.Time{}, false
	}
	t := u.add(e.Now, -n)
	switch edge {
	case "":
		return t, true
	case "Start":
		return u.Floor(t), true
	case "End":
		return u.last(t), true
	}
	return time.Time{}, false
}

// dateGenerate reads a date and a time of the caller's zone, in two arguments or in one.
func (e *Env) dateGenerate(c *call) (time.Time, bool) {
	at := strings.TrimSpace(c.arg(0))
	switch clock := strings.TrimSpace(c.arg(1)); clock {
	case "start":
		at += " 00:00:00"
	case "end":
		at += " 23:59:59"
	case "":
		if len(at) == len(dateLayout) {
			at += " 00:00:00"
		}
	default:
		at += " " + clock
	}
	t, err := time.ParseInLocation(dateTimeLayout, at, e.Zone)
	return t, err == nil && len(c.args) <= 2
}

// parseDatePart reads the call that only DATEPART takes, gs.datePart(unit, value, comparison).
func parseDatePart(expr string) (values []string, ok bool) {
	c, ok := parseCall(expr)
	if !ok || c.name != "gs.datePart" || len(c.args) != 3 {
		return nil, false
	}
	op, ok := comparisons[strings.ToUpper(c.args[2])]
	if !ok {
		return nil, false
	}
	unit := Fold(c.args[0])
	if unit == "day" {
		unit = "dayofmonth"
	}
	n, ok := partNumber(unit, strings.TrimSpace(c.args[1]))
	if _, known := Part(unit, time.Time{}); !ok || !known {
		return nil, false
	}
	return []string{unit, string(op), strconv.Itoa(n)}, true
}

// comparisons are the letters that stand for comparisons in relative dates and date parts.
var comparisons = map[string]Op{"EE": Equal, "GT": Greater, "GE": GreaterEqual, "LT": Less, "LE": LessEqual}

// letters gives the letters of a comparison.
func letters(op Op) string {
	for l, o := range comparisons {
		if o == op {
			return l
		}
	}
	return "EE"
}
