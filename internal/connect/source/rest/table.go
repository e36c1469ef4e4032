package rest

import (
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
)

func tableOptions() optionFields {
	own := optionFields{
		text("fields", "Fields", "", "names parted by commas, dot-walks too; sys_id and the watermark come along; all fields when absent"),
		number("page_size", "Rows per page", "1000", "rows to ask for at a time"),
		text("watermark", "Watermark", "sys_updated_on", "the field whose highest value the next reading begins at; none for tables without one"),
		text("overlap", "Overlap", "5m", "how far before the mark a reading begins; more than clocks and commits may lag"),
		text("since_zone", "Time zone of the query", "UTC", "IANA name of the time zone of the user who asks, in which servers read times of a query"),
		number("total_tolerance", "Tolerance", "0", "how many rows may be counted by the server and not given; rows that are made or deleted meanwhile need none"),
		number("row_cap", "Row cap", "10000", "a reading of exactly so many rows from a server that tells no total is refused; 0 for none"),
		number("max_pages", "Most pages", "100000", "more pages are an error"),
	}
	return append(own, boundOptions()...)
}

var tableName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// compileTable makes the plan for a table: pages in the order of sys_id, each of the records above the last one seen.
func (p Parts) compileTable(a source.Address, at *url.URL) (*plan, error) {
	dir, name := path.Split(strings.TrimSuffix(at.Path, "/"))
	if !tableName.MatchString(name) {
		return nil, fault.New(fault.Invalid, "%q is no name of a table", name).WithHint("for instance table+https://example.com/incident")
	}
	base := *at
	base.Path, base.RawPath = strings.TrimSuffix(dir, "/")+"/api/now/table/"+name, ""
	given, err := parseQuery(at.RawQuery)
	if err != nil {
		return nil, err
	}
	base.RawQuery = ""
	options := format.Options{"paging": pagingKeyset, "key": "sys_id", "key_param": "sysparm_query={last}", "page_size": "1000", "rows": "/result",
		"total_of": "rest", "error": "/error/message", "since_format": "datetime", "zone": "UTC", "watermark": "sys_updated_on", "row_cap": "10000"}
	maps.Copy(options, a.Options)
	delete(options, "fields")
	if options["watermark"] == "none" {
		delete(options, "watermark")
	}
	params, err := tableParams(given, a.Options["fields"], options["watermark"])
	if err != nil {
		return nil, err
	}
	pl, err := p.compiled(options, &base, params)
	if err == nil {
		pl.pages.forbidden = "^"
	}
	return pl, err
}

// tableParams are the parameters of a request for a page.
func tableParams(given []named, fields, watermark string) ([]named, error) {
	filter := ""
	var params []named
	for _, g := range given {
		switch text := show(g.value); g.name {
		case "sysparm_query":
			filter = text
		case "sysparm_fields":
			if fields == "" {
				fields = text
			}
		case "sysparm_limit", "sysparm_offset", "sysparm_no_count", "sysparm_display_value", "sysparm_exclude_reference_link":
			return nil, fault.New(fault.Invalid, "the parameter %s is set by the source itself", g.name).WithHint("take it from the address; page_size and fields are options")
		default:
			params = append(params, named{name: g.name, value: literal(text)})
		}
	}
	params = append(params, named{name: "sysparm_query", value: tableQuery(filter, watermark)}, named{name: "sysparm_limit", value: parseTemplate("{size}")},
		named{name: "sysparm_display_value", value: literal("false")}, named{name: "sysparm_exclude_reference_link", value: literal("true")})
	if fields != "" {
		names := strings.Split(strings.ReplaceAll(fields, " ", ""), ",")
		for _, needed := range []string{watermark, "sys_id"} {
			if needed != "" && !slices.Contains(names, needed) {
				names = append([]string{needed}, names...)
			}
		}
		params = append(params, named{name: "sysparm_fields", value: literal(strings.Join(names, ","))})
	}
	return params, nil
}

var sorted = regexp.MustCompile(`(^|\^)ORDERBY[^^]*`)

// tableQuery adds mark, key and order to an encoded query. Its own order is left out; each of the queries that ^NQ joins
// gets the conditions.
func tableQuery(filter, watermark string) template {
	var out template
	for i, part := range strings.Split(filter, "^NQ") {
		if i > 0 {
			out = append(out, piece{text: "^NQ"})
		}
		terms := strings.Trim(strings.TrimSuffix(sorted.ReplaceAllString(part, ""), "^EQ"), "^")
		conditions := "[sys_id>{last}^]"
		if watermark != "" {
			conditions = "[" + watermark + ">={since}^]" + conditions
		}
		out = append(out, parseTemplate(conditions)...)
		if terms != "" {
			out = append(out, piece{text: terms + "^"})
		}
	}
	return append(out, piece{text: "ORDERBYsys_id"})
}
