package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

type optionFields = []record.Field

func text(name, label, def, help string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String, Default: def, Help: help}
}

func number(name, label, def, help string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Integer, Default: def, Help: help}
}

func choice(name, label, help string, values ...string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.String, Default: values[0], Choices: format.Choices(values...), Help: help}
}

func flag(name, label, def, help string) record.Field {
	return record.Field{Name: name, Label: label, Type: record.Boolean, Default: def, Help: help}
}

func restOptions() optionFields {
	return append(requestOptions(), append(pagingOptions(), append(markOptions(), append(detailOptions(), boundOptions()...)...)...)...)
}

func requestOptions() optionFields {
	return optionFields{
		choice("method", "Method", "of every request for a page", http.MethodGet, http.MethodPost),
		text("headers", "Headers", "", `of every request, as JSON: {"Accept-Language": "en"}`),
		text("body", "Body", "", "of every request for a page; may hold placeholders"),
		choice("format", "Format", "of the answers", "json", "ndjson", "xml", "csv"),
		text("format_options", "Options of the format", "", `as JSON: {"expand": "false"}`),
		text("rows", "Rows", "", "where the rows are in an answer, as the option path of the format says: /result, / for the answer itself; found on the first page when absent"),
		text("error", "Error", "", "a place in the answer that holds something only when the service refuses, whatever its status says: /error/message"),
		text("expired", "Expired", "expired|invalid_token", "texts parted by |; an error that holds one of them means that the token is to be renewed"),
	}
}

func pagingOptions() optionFields {
	return optionFields{
		choice("paging", "Paging", "where the next page is", pagingNone, pagingLink, pagingPage, pagingOffset, pagingCursor, pagingKeyset, pagingNext),
		number("page_size", "Rows per page", "", "rows to ask for; nothing is asked for when absent"),
		text("size_param", "Parameter of the size", "", "the query parameter that page_size goes into, unless {size} stands somewhere"),
		text("page_param", "Parameter of the page", "page", "page: the query parameter of the page's number, unless {page} stands somewhere"),
		text("offset_param", "Parameter of the offset", "offset", "offset: the query parameter of the rows to pass over, unless {offset} stands somewhere"),
		number("first", "First number", "", "page: of the first page, 1 when absent; offset: of the first row, 0 when absent"),
		flag("seam", "Seam", "true", "offset: each page begins with the last row of the one before, so that rows made or deleted meanwhile are noticed"),
		text("cursor", "Cursor", "", "cursor: the place of the next page's cursor: /meta/next_cursor, header:X-Next"),
		text("cursor_param", "Parameter of the cursor", "cursor", "cursor: its query parameter, unless {cursor} stands somewhere"),
		text("next", "Next", "", "next: the place of the next page's URL: /links/next"),
		text("key", "Key", "", "the column that identifies a row; keyset: the column that pages are ordered by"),
		text("key_param", "Parameter of the key", "", "keyset: name=template of a query parameter, unless {last} stands somewhere: q=[id>{last} and ]true"),
		choice("key_order", "Order of keys", "keyset: auto refuses rows that are in no order known here; any trusts the service", "auto", "any"),
		choice("last_page", "Last page", "of page, offset and keyset: empty reads on until a page has no rows; short ends at a page of fewer rows than page_size, wrong where a service gives fewer than asked", "empty", "short"),
		text("more", "More", "", "a place that says whether there are more pages: /has_more"),
		flag("repeats", "Repeated pages", "false", "two pages may have the very same rows"),
		text("total", "Total", "", "the place of the number of rows in all: /meta/total, header:X-Count, none; the header X-Total-Count when absent"),
		choice("total_of", "Total of", "all: what total counts is the whole set; rest: what keyset has not read yet", "all", "rest"),
		number("total_tolerance", "Tolerance", "0", "how many rows the total may be off, because the set moves"),
		number("row_cap", "Row cap", "0", "a reading of exactly so many rows without a total is refused: the service may stop there without a word; 0 for none"),
		number("max_pages", "Most pages", "100000", "more pages are an error"),
	}
}

func markOptions() optionFields {
	return optionFields{
		text("watermark", "Watermark", "", "the column whose highest value the next reading begins at"),
		text("since", "Since", "", "name=template of a query parameter of readings that begin at a mark, unless {since} stands somewhere: updated_after={since}"),
		text("since_first", "First mark", "", "what {since} is when there is no mark yet; without it the parameter is left out"),
		text("since_format", "Format of marks", "rfc3339", "of the watermark and of {since}: rfc3339, datetime (2006-01-02 15:04:05), date, unix, unix_ms, number, or a layout such as 02.01.2006 15:04"),
		text("zone", "Time zone", "", "IANA name, of marks that do not tell their own; needed with datetime, date and layouts without a zone"),
		text("since_zone", "Time zone of {since}", "", "IANA name, when the service wants it in another than zone"),
		text("overlap", "Overlap", "", "how far before the mark a reading begins: 5m for times, 0 for numbers when absent; more than clocks and commits may lag"),
	}
}

func detailOptions() optionFields {
	return optionFields{
		text("detail", "Detail", "", "a URL, or a path at the service, that is called for every row: /items/{id}/price; {id} is the row's column id"),
		text("detail_rows", "Place of the detail", "/", "where the object is in its answer"),
		text("detail_prefix", "Prefix of details", "detail.", "of the names of the columns that details bring"),
		number("detail_concurrency", "Details at once", "4", "calls for details at a time, at most 64"),
		choice("detail_failure", "Failed details", "fail ends the reading, spoil rejects the row", "fail", "spoil"),
	}
}

func boundOptions() optionFields {
	return optionFields{
		text("rate", "Rate", "", "requests per second at most: 5, 0.5"),
		number("attempts", "Attempts", "4", "at one request, when it fails in a way that may pass"),
		text("max_wait", "Longest wait", "2m", "that a service may ask for with Retry-After; a longer one ends the reading"),
		text("timeout", "Time-out", "100s", "of one request"),
		text("connect_timeout", "Time-out of connecting", "10s", "of one connection"),
		number("max_answer", "Largest answer", "64MB", "a larger one is refused: it is held in memory"),
	}
}

// settings reads options and keeps the first thing that is wrong.
type settings struct {
	format.Options
	err error
}

func (o *settings) bad(name, want string) {
	o.fail(fault.New(fault.Invalid, "option %s: %q is not %s", name, o.Options[name], want))
}

func (o *settings) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *settings) duration(name string, def time.Duration) time.Duration {
	if o.Options[name] == "" {
		return def
	}
	d, err := time.ParseDuration(o.Options[name])
	if err != nil || d < 0 {
		o.bad(name, "a duration such as 5m or 1m30s")
	}
	return d
}

// interval is the time between two requests of a rate per second.
func (o *settings) interval(name string) time.Duration {
	if o.Options[name] == "" {
		return 0
	}
	rate, err := strconv.ParseFloat(o.Options[name], 64)
	if err != nil || !(rate > 0 && rate <= 1e6) {
		o.bad(name, "a number of requests per second above 0")
		return 0
	}
	return time.Duration(max(float64(time.Second)/rate, 1))
}

func (o *settings) object(name string) map[string]string {
	if o.Options[name] == "" {
		return nil
	}
	var out map[string]string
	if err := json.Unmarshal([]byte(o.Options[name]), &out); err != nil {
		o.bad(name, `an object of texts in JSON, such as {"name": "value"}`)
	}
	return out
}

func (o *settings) zone(name string, def *time.Location) *time.Location {
	if o.Options[name] == "" {
		return def
	}
	zone, err := time.LoadLocation(o.Options[name])
	if err != nil || o.Options[name] == "Local" {
		o.bad(name, "a time zone such as Europe/Vienna or UTC")
	}
	return zone
}
