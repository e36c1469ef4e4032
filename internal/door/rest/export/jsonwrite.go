package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
)

// order is what a JSONv2 call asks for: parameters of the address, and those of the body, which win.
type order struct {
	*job
	action  string
	id      string
	query   string
	records []wire.Object
}

// write takes JSONv2 calls that change records. Each record is written by the Table API, as the caller, and answered with
// what became of it.
func (a *api) write(r *wire.Request) (*wire.Answer, error) {
	e, k, err := a.job(r)
	if err != nil {
		return nil, err
	}
	if k.limit != jsonLimit {
		return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Unsupported export", Detail: "records are written as JSONv2"}
	}
	o, err := e.order()
	if err != nil {
		return nil, err
	}
	switch o.action {
	case "insert", "insertMultiple":
		return o.answer(o.insert)
	case "update":
		return o.answer(o.update)
	case "deleteRecord", "deleteMultiple":
		return o.answer(o.remove)
	case "get", "getRecords", "getKeys":
		return a.json(e)
	}
	return nil, &wire.Error{Status: http.StatusBadRequest, Message: "Unsupported action " + o.action}
}

// order reads what is asked for. Without an action a body inserts.
func (e *job) order() (*order, error) {
	o := &order{job: e, action: e.Param("sysparm_action"), id: e.Param("sysparm_sys_id"), query: e.Param("sysparm_query")}
	bodies, err := e.Records()
	if err != nil {
		return nil, err
	}
	for _, body := range bodies {
		record, err := o.take(body)
		if err != nil {
			return nil, err
		}
		if record != nil {
			o.records = append(o.records, record)
		}
	}
	if o.action == "" {
		o.action = "insert"
	}
	return o, nil
}

// take reads one object of a body: its parameters, the records that it lists, or itself as a record.
func (o *order) take(body wire.Object) (wire.Object, error) {
	out := wire.Object{}
	for _, p := range body {
		switch {
		case p.Name == "sysparm_action":
			o.action = p.Value
		case p.Name == "sysparm_sys_id":
			o.id = p.Value
		case p.Name == "sysparm_query":
			o.query = p.Value
		case p.Name == "records" && p.Nested:
			listed, err := wire.Objects(p.Value)
			if err != nil {
				return nil, err
			}
			o.records = append(o.records, listed...)
		case p.Nested:
			return nil, wire.Unreadable("the value of %q is an object or a list; a field takes text, a number, a boolean or null", p.Name)
		case !strings.HasPrefix(p.Name, "sysparm_") && !strings.HasPrefix(p.Name, "__"):
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// refusal is why a whole call is refused, in the form of this API.
type refusal struct{ message, reason string }

// Error makes refusal an error.
func (r *refusal) Error() string { return r.message }

// answer writes the records that a call tells of; a call that is refused as a whole changes nothing.
func (o *order) answer(do func(add func(line []byte)) error) (*wire.Answer, error) {
	lines := [][]byte{}
	err := do(func(line []byte) { lines = append(lines, line) })
	var refused *refusal
	if errors.As(err, &refused) {
		text := wire.AppendString([]byte(`{"error":`), refused.message)
		text = append(wire.AppendString(append(text, `,"reason":`...), refused.reason), '}')
		return jsonAnswer(http.StatusBadRequest, text), nil
	}
	if err != nil {
		return nil, err
	}
	return jsonAnswer(http.StatusOK, append(append([]byte(`{"records":[`), bytes.Join(lines, []byte(","))...), `]}`...)), nil
}

func jsonAnswer(status int, text []byte) *wire.Answer {
	return &wire.Answer{Status: status, ContentType: jsonType, Stream: func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}}
}

func (o *order) insert(add func([]byte)) error {
	if len(o.records) == 0 {
		return &refusal{"Cannot insert without a record", "the body holds none"}
	}
	for _, r := range o.records {
		line, err := o.one("Insert into", http.MethodPost, "", r)
		if err != nil {
			return err
		}
		add(line)
	}
	return nil
}

func (o *order) update(add func([]byte)) error {
	if o.id == "" && o.query == "" {
		return &refusal{"Cannot update with empty sysparm_query", "it would change every record of " + o.table.Name}
	}
	if len(o.records) != 1 {
		return &refusal{"Cannot update without a record", "the body is one object with the fields to change"}
	}
	return o.each("Update of", http.MethodPatch, o.records[0], add)
}

func (o *order) remove(add func([]byte)) error {
	if o.action == "deleteRecord" && o.id == "" {
		return &refusal{"Cannot delete without sysparm_sys_id", "it names the record"}
	}
	if o.id == "" && o.query == "" {
		return &refusal{"Cannot delete with empty sysparm_query", "it would delete every record of " + o.table.Name}
	}
	return o.each("Delete of", http.MethodDelete, nil, add)
}

// each does the same with every record that the call names. Which those are is settled before the first is changed.
func (o *order) each(doing, method string, values wire.Object, add func([]byte)) error {
	ids, err := o.ids()
	if err != nil {
		return err
	}
	for _, id := range ids {
		line, err := o.one(doing, method, id, values)
		if err != nil {
			return err
		}
		add(line)
	}
	return nil
}

// ids finds the records that the call is about, as far as the caller may read them. A query with a term that means
// nothing is refused: leaving the term out, as reads do, would change more than was meant.
func (o *order) ids() ([]string, error) {
	text := o.query
	if o.id != "" {
		text = record.SysID + "=" + o.id
	}
	who := o.Identity
	q, err := query.Parse(text, o.table, query.Env{Now: o.api.deps.Now(), Zone: who.Zone, UserID: who.UserID, UserName: who.UserName, UserDisplay: who.DisplayName})
	if err != nil {
		return nil, err
	}
	if len(q.Invalid) > 0 {
		return nil, &refusal{"Cannot " + o.action + " with a query that means nothing: " + strings.Join(q.Invalid, ", "), "nothing was changed"}
	}
	var ids []string
	for row, err := range o.Session.Select(o.Context(), &record.Query{Table: o.table, Fields: []string{record.SysID}, Where: q.Where, OrderBy: q.OrderBy}) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, row[0].Text)
	}
	return ids, nil
}

// one writes one record by the Table API and says what became of it.
func (o *order) one(doing, method, id string, values wire.Object) ([]byte, error) {
	given := map[string]string{}
	for _, p := range values {
		if p.Nested {
			return nil, wire.Unreadable("the value of %q is an object or a list; a field takes text, a number, a boolean or null", p.Name)
		}
		var err error
		if given[p.Name], err = o.stored(p.Name, p.Value); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	path := "/api/now/table/" + o.table.Name
	if id != "" {
		path += "/" + id
	}
	w, err := o.ask(method, path+"?sysparm_display_value=all&sysparm_exclude_reference_link=true", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var told struct {
		Result row
		Error  struct{ Message, Detail string }
	}
	if len(w.body) > 0 {
		if err := json.Unmarshal(w.body, &told); err != nil {
			return nil, err
		}
	}
	switch {
	case w.code >= http.StatusBadRequest:
		return failed(doing, o.table.Name, id, told.Error.Message, told.Error.Detail), nil
	case method == http.MethodDelete:
		told.Result = row{record.SysID: {Stored: id, Shown: id}}
	}
	return writeRecord(nil, o.table.Names(), told.Result, o.Param("displayvalue")), nil
}

// failed says why one record was not written.
func failed(doing, table, id, message, detail string) []byte {
	reason := detail
	switch {
	case strings.HasPrefix(detail, "ACL Exception"):
		verb, _, _ := strings.Cut(strings.ToLower(doing), " ")
		reason = "Insufficient rights to " + verb + " a " + table + " record"
	case reason == "":
		reason = message
	}
	line := []byte{'{'}
	if id != "" {
		line = append(wire.AppendString(append(line, `"sys_id":`...), id), ',')
	}
	line = append(wire.AppendString(append(line, `"__status":"failure","__error":{"message":`...), "Invalid "+doing+": "+table), `,"reason":`...)
	return append(wire.AppendString(line, reason), `}}`...)
}

// stored turns names and labels into what is stored: this API takes both. What stands for nothing stays as it is.
func (o *order) stored(name, text string) (string, error) {
	f := o.table.Field(name)
	if f == nil || text == "" || f.HasChoice(text) {
		return text, nil
	}
	for _, c := range f.Choices {
		if query.Fold(c.Label) == query.Fold(text) {
			return c.Value, nil
		}
	}
	other := o.table.Catalog().Table(f.Reference)
	if f.Type != record.Reference || other == nil || other.Field(record.SysID) == nil {
		return text, nil
	}
	where := &query.Or{Parts: []query.Node{&query.Term{Field: record.SysID, Op: query.Equal, Values: []string{text}},
		&query.Term{Field: other.DisplayField().Name, Op: query.Equal, Values: []string{text}}}}
	for row, err := range o.Session.Select(o.Context(), &record.Query{Table: other, Fields: []string{record.SysID}, Where: where, Limit: 1}) {
		return row[0].Text, err
	}
	return text, nil
}
