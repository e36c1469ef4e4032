package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"headrace/internal/core/fault"
)

// answer is what a verb found out, in the forms it may be asked for.
type answer struct {
	value  any        // for json and yaml
	header []string   // for csv and table
	rows   [][]string // likewise
	text   string     // for people instead of the table
}

// show writes an answer to standard output.
func (c *console) show(a answer) error {
	switch c.settings.Output {
	case "json", "yaml":
		return c.writeEnvelope(envelope{Command: c.verb, OK: true, Result: a.value})
	case "csv":
		return c.writeCSV(a.header, each(a.rows))
	}
	if a.text != "" {
		_, err := io.WriteString(c.out, a.text)
		return writing(err)
	}
	return c.writeTable(a.header, each(a.rows))
}

func each(rows [][]string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// writing names the cause of a failed write to standard output.
func writing(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, err, "the result cannot be written")
}

func (c *console) writeEnvelope(e envelope) error {
	text, err := marshal(e)
	if err != nil {
		return err
	}
	if c.settings.Output == "yaml" {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fault.Wrap(fault.Internal, err, "the result cannot be written as YAML")
		}
	} else {
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return fault.Wrap(fault.Internal, err, "the result cannot be written as JSON")
		}
		text = append(indented.Bytes(), '\n')
	}
	_, err = c.out.Write(text)
	return writing(err)
}

func (c *console) writeCSV(header []string, rows iter.Seq2[[]string, error]) error {
	w := csv.NewWriter(c.out)
	if err := w.Write(header); err != nil {
		return writing(err)
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := w.Write(row); err != nil {
			return writing(err)
		}
	}
	w.Flush()
	return writing(w.Error())
}

// measured is how many rows decide the widths of a table's columns; wider cells further down push their row apart.
const measured = 500

// widest is the most characters of a cell in a table; -o csv and json show all of it.
const widest = 100

// writeTable lines columns up. Rows are held back until the widths are known, then written a page at a time.
func (c *console) writeTable(header []string, rows iter.Seq2[[]string, error]) error {
	page := [][]string{upper(header)}
	widths := make([]int, len(header))
	grow(widths, page[0])
	wide := false
	for row, err := range rows {
		if err != nil {
			return err
		}
		page = append(page, plainCells(row))
		if !wide {
			grow(widths, page[len(page)-1])
		}
		if len(page) > measured {
			wide = true
			if err := c.writePage(page, widths); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return c.writePage(page, widths)
}

// writePage writes rows under the widths found so far.
func (c *console) writePage(rows [][]string, widths []int) error {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(padded(row, widths), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(c.out, b.String())
	return writing(err)
}

func padded(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell))+2))
	}
	return b.String()
}

func grow(widths []int, row []string) {
	for i, cell := range row {
		widths[i] = max(widths[i], utf8.RuneCountInString(cell))
	}
}

func upper(names []string) []string {
	out := slices.Clone(names)
	for i := range out {
		out[i] = strings.ToUpper(out[i])
	}
	return out
}

// plainCells makes cells that stay on one line and within the screen.
func plainCells(row []string) []string {
	out := make([]string, len(row))
	for i, cell := range row {
		out[i] = oneLine(cell, widest)
	}
	return out
}

// oneLine replaces what would break a line or drive the terminal, and cuts long text.
func oneLine(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(clean) <= most {
		return clean
	}
	return string([]rune(clean)[:most-3]) + "..."
}

// note tells people something beside the result.
func (c *console) note(format string, args ...any) {
	if !c.settings.Quiet {
		fmt.Fprintf(c.err, format+"\n", args...)
	}
}

// tell says what nobody may miss, also those who asked for quiet.
func (c *console) tell(format string, args ...any) { fmt.Fprintf(c.err, format+"\n", args...) }

// detail is a note for those who asked for details.
func (c *console) detail(format string, args ...any) {
	if c.settings.Verbose {
		c.note(format, args...)
	}
}

const (
	red  = "31"
	bold = "1"
)

// paint colours text on standard error where people see it.
func (c *console) paint(colour, text string) string {
	forced := os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0"
	off := c.settings.NoColor || c.given.NoColor || os.Getenv("NO_COLOR") != ""
	if off || !forced && (!isTerminal(c.err) || os.Getenv("TERM") == "dumb") {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
