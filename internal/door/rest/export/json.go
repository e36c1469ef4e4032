package export

import (
	"bufio"
	"io"
	"slices"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

const (
	jsonType  = "application/json;charset=UTF-8"
	jsonLimit = "glide.json.export.limit" // the property that bounds it
)

// json writes the records as the platform's JSONv2 does: flat, every value a text, each with its status.
func (a *api) json(e *job) (*wire.Answer, error) {
	fields, line := e.table.Names(), writeRecord
	switch action := e.Param("sysparm_action"); action {
	case "", "get", "getRecords":
	case "getKeys":
		fields, line = []string{record.SysID}, writeKey
	default:
		return nil, &wire.Error{Status: 400, Message: "Unsupported action " + action, Detail: "a GET reads; send it by POST"}
	}
	rows, err := begin(e.rows(fields))
	if err != nil {
		return nil, err
	}
	shown := e.Param("displayvalue")
	return &wire.Answer{ContentType: jsonType, Stream: func(w io.Writer) error {
		out := bufio.NewWriter(w)
		out.WriteString(`{"records":[`)
		var buf []byte
		first := true
		for r, err := range rows {
			if err != nil {
				return err
			}
			if !first {
				out.WriteByte(',')
			}
			first = false
			buf = line(buf[:0], fields, r, shown)
			out.Write(buf)
		}
		out.WriteString("]}")
		return out.Flush()
	}}, nil
}

func writeKey(dst []byte, _ []string, r row, _ string) []byte {
	return wire.AppendString(dst, r[record.SysID].Stored)
}

func writeRecord(dst []byte, fields []string, r row, shown string) []byte {
	dst = append(dst, '{')
	for _, f := range slices.Sorted(slices.Values(fields)) {
		c, seen := r[f]
		if !seen {
			continue
		}
		value := c.Stored
		if shown == "true" {
			value = c.Shown
		}
		dst = append(wire.AppendString(append(wire.AppendString(dst, f), ':'), value), ',')
		if shown == "all" {
			dst = append(wire.AppendString(append(wire.AppendString(dst, "dv_"+f), ':'), c.Shown), ',')
		}
	}
	return append(dst, `"__status":"success"}`...)
}
