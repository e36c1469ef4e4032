package format_test

import (
	"bytes"
	stdcsv "encoding/csv"
	stdjson "encoding/json"
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"headrace/internal/connect/format"
	"headrace/internal/connect/format/csv"
	"headrace/internal/connect/format/json"
	"headrace/internal/connect/format/xlsx"
	"headrace/internal/core/record"
)

func TestFormulasAreGuardedAndNumbersAreNot(t *testing.T) {
	for text, want := range map[string]string{"=1+1": "'=1+1", "+49 30 1": "'+49 30 1", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\rx",
		"-12.5": "-12.5", "-7": "-7", "12": "12", "-": "'-", "-.5": "'-.5", "-1.": "'-1.", "+5": "'+5", "": "", "a=b": "a=b", "'=x": "'=x", "-1e9": "'-1e9"} {
		if got := format.Guarded(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func one(cells ...string) iter.Seq2[[]record.Value, error] {
	return func(yield func([]record.Value, error) bool) {
		var row []record.Value
		for _, c := range cells {
			row = append(row, record.Text(c))
		}
		yield(row, nil)
	}
}

// FuzzGuardedCell holds what a spreadsheet program gets to read: a cell never begins a formula unless it is a number, and
// without its guard it is what was written.
func FuzzGuardedCell(f *testing.F) {
	for _, seed := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "-1+1", "@x", "\t=1", "\r\n=1", "a\n=1", `"=1`, "'=1", "-0.5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "")
		var b bytes.Buffer
		if err := (csv.Format{}).Write(t.Context(), &b, []string{"a", "b"}, one(text, "end"), format.Options{"guard": "true", "header": "false"}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "\r") { // which this reader takes for part of a line end
			r, err := stdcsv.NewReader(&b).Read()
			if err != nil || len(r) != 2 {
				t.Fatalf("%q reads as %q, %v", text, r, err)
			}
			judge(t, text, r[0])
		}
		judge(t, text, format.Guarded(text))
	})
}

func judge(t *testing.T, text, got string) {
	t.Helper()
	if got != text && got != "'"+text {
		t.Fatalf("%q became %q", text, got)
	}
	if _, err := strconv.ParseFloat(got, 64); got != "" && strings.ContainsRune("=+-@\t\r", rune(got[0])) && err != nil {
		t.Fatalf("%q stands there as %q", text, got)
	}
}

func TestLiteralColumnsAreNumbersAndTruthValues(t *testing.T) {
	cells := one("-12.50", "true", "007", "12345678901234567890", "=1")
	var b bytes.Buffer
	header := []string{"n", "b", "t", "long", "f"}
	if err := (json.Format{}).Write(t.Context(), &b, header, cells, format.Options{"style": "lines", "literals": "1,2,4"}); err != nil {
		t.Fatal(err)
	}
	if want := `{"n":-12.50,"b":true,"t":"007","long":12345678901234567890,"f":"=1"}` + "\n"; b.String() != want || !stdjson.Valid(b.Bytes()) {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := (xlsx.Format{}).Write(t.Context(), &b, header, cells, format.Options{"literals": "1,2,4", "guard": "true"}); err != nil {
		t.Fatal(err)
	}
	x, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for at, want := range map[string]struct {
		kind  excelize.CellType
		value string
	}{"A2": {excelize.CellTypeUnset, "-12.5"}, "B2": {excelize.CellTypeBool, "TRUE"}, "C2": {excelize.CellTypeInlineString, "007"},
		"D2": {excelize.CellTypeInlineString, "12345678901234567890"}, "E2": {excelize.CellTypeInlineString, "'=1"}} {
		kind, err := x.GetCellType("Sheet1", at)
		value, err2 := x.GetCellValue("Sheet1", at)
		if err != nil || err2 != nil || kind != want.kind || value != want.value {
			t.Errorf("%s is %v %q, %v %v, want %v %q", at, kind, value, err, err2, want.kind, want.value)
		}
	}
}

func TestNullsAreWrittenWhenAskedFor(t *testing.T) {
	rows := func(yield func([]record.Value, error) bool) {
		yield([]record.Value{record.Text("x"), record.Null}, nil)
	}
	for nulls, want := range map[string]string{"false": "{\"a\":\"x\"}\n", "true": "{\"a\":\"x\",\"b\":null}\n"} {
		var b bytes.Buffer
		if err := (json.Format{}).Write(t.Context(), &b, []string{"a", "b"}, rows, format.Options{"style": "lines", "nulls": nulls}); err != nil || b.String() != want {
			t.Errorf("nulls %s: %q, %v", nulls, b.String(), err)
		}
	}
}
