package xlsx

import (
	"context"
	stdxml "encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

const (
	maxColumns = 16384   // of the file format
	maxText    = 1 << 20 // bytes of one cell; the format allows 32,767 characters
)

// sheet reads the rows of one sheet.
type sheet struct {
	*book
	name    string
	ctx     context.Context
	r       io.ReadCloser
	dec     *stdxml.Decoder
	inside  bool // past <sheetData>
	row     int64
	column  int
	current sheetRow
	text    []byte
	found   [4]int // by trouble: how often it was met
	told    [4]bool
}

// sheetRow is a row that is not blank.
type sheetRow struct {
	line  int64
	cells []record.Value
}

func (r sheetRow) filled() (n int) {
	for _, c := range r.cells {
		if !c.Empty() {
			n++
		}
	}
	return n
}

// What a user should know about cells, besides their text.
const (
	errorCell = iota
	noValue
	longNumber
	badReference
)

var troubles = [...]string{
	errorCell:    "cells with an error such as #N/A are null",
	noValue:      "formulas without a stored value are null: open and save the workbook in a spreadsheet program",
	longNumber:   "numbers of more than 15 digits: the workbook itself has lost the digits behind; store them as text",
	badReference: "cells that refer to texts the workbook does not have are null",
}

// notes gives what is new to say since the last call.
func (s *sheet) notes() (out []string) {
	for i, n := range s.found {
		if n > 0 && !s.told[i] {
			s.told[i] = true
			out = append(out, fmt.Sprintf("%s (first in row %d)", troubles[i], s.current.line))
		}
	}
	return out
}

func (s *sheet) close() { s.r.Close() }

// next reads the next row that is not blank into s.current, or returns io.EOF.
func (s *sheet) next() error {
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		t, err := s.dec.RawToken()
		if err != nil {
			return s.early(err)
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			switch {
			case t.Name.Local == "sheetData":
				s.inside = true
			case t.Name.Local == "row" && s.inside:
				if err := s.readRow(t); err != nil {
					return s.early(err)
				}
				if s.current.filled() > 0 {
					return nil
				}
			}
		case stdxml.EndElement:
			if t.Name.Local == "sheetData" {
				return io.EOF
			}
		}
	}
}

// early makes a fault of the sheet's end before its time.
func (s *sheet) early(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fault.New(fault.Invalid, "the workbook is damaged in %s behind row %d: it ends early", s.name, s.row).WithHint("fetch it again, or open and save it in a spreadsheet program")
	}
	return s.damaged(fmt.Sprintf("%s behind row %d", s.name, s.row), err)
}

func attr(t stdxml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

func (s *sheet) readRow(start stdxml.StartElement) error {
	s.row++
	if n, err := strconv.ParseInt(attr(start, "r"), 10, 64); err == nil && n >= s.row {
		s.row = n
	}
	s.column = 0
	s.current = sheetRow{line: s.row, cells: s.current.cells[:0]}
	for {
		t, err := s.dec.RawToken()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			if t.Name.Local == "c" {
				if err := s.readCell(t); err != nil {
					return err
				}
			}
		case stdxml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		}
	}
}

// readCell reads one cell and puts it at its column.
func (s *sheet) readCell(start stdxml.StartElement) error {
	s.column++
	if n := columnOf(attr(start, "r")); n > 0 {
		s.column = n
	}
	if s.column > maxColumns {
		return fault.New(fault.Invalid, "row %d has a cell right of column XFD", s.row).WithHint("the workbook is damaged")
	}
	kind, formula, valued, err := s.content(attr(start, "t"))
	if err != nil {
		return err
	}
	v := record.Null
	switch {
	case valued:
		style, _ := strconv.Atoi(attr(start, "s"))
		v = s.value(kind, style)
	case formula:
		s.found[noValue]++
	}
	if !v.Valid {
		return nil
	}
	for len(s.current.cells) < s.column {
		s.current.cells = append(s.current.cells, record.Null)
	}
	s.current.cells[s.column-1] = v
	return nil
}

// content collects a cell's text into s.text: that of <v>, or of the <t> inside <is>. Phonetic guides are left out.
func (s *sheet) content(kind string) (_ string, formula, valued bool, err error) {
	s.text = s.text[:0]
	take, phonetic := false, false
	for {
		t, err := s.dec.RawToken()
		if err != nil {
			return kind, formula, valued, err
		}
		switch t := t.(type) {
		case stdxml.StartElement:
			switch t.Name.Local {
			case "v", "t":
				take = !phonetic
				valued = true
			case "f":
				formula = true
			case "rPh":
				phonetic = true
			}
		case stdxml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				take = false
			case "rPh":
				phonetic = false
			case "c":
				return kind, formula, valued, nil
			}
		case stdxml.CharData:
			if take {
				s.text = append(s.text, t...)
			}
			if len(s.text) > maxText {
				return kind, formula, valued, fault.New(fault.Limit, "row %d has a cell of more than %d bytes", s.row, maxText).WithHint("the workbook is damaged")
			}
		}
	}
}

// value gives the meaning of s.text in a cell of a type and a style.
func (s *sheet) value(kind string, style int) record.Value {
	switch kind {
	case "s":
		i, err := strconv.Atoi(string(s.text))
		if text, ok := s.strings.at(i); ok && err == nil {
			return record.Text(text)
		}
		s.found[badReference]++
		return record.Null
	case "b":
		return record.Text(strconv.FormatBool(string(s.text) == "1" || strings.EqualFold(string(s.text), "true")))
	case "e":
		s.found[errorCell]++
		return record.Null
	case "str", "inlineStr", "d":
		return record.Text(string(s.text))
	}
	var f numberFormat
	if style >= 0 && style < len(s.formats) {
		f = s.formats[style]
	}
	text, long := f.show(strings.TrimSpace(string(s.text)), s.date04)
	if long {
		s.found[longNumber]++
	}
	return record.Value{Text: text, Valid: text != ""}
}

// columnOf reads the letters of a reference such as AB12; 0 when there are none.
func columnOf(ref string) (n int) {
	for i := 0; i < len(ref) && i < 4; i++ {
		c := ref[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	return n
}
