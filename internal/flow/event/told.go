package event

import (
	"bytes"
	"encoding/json"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/store/queue"
)

// What a job is told of its run. A job that comes soon, alone for its run and for the first time need not read what the
// transaction that made it has just written: reading costs a third of handling.

// telling is a run with its event, field by field.
type telling struct {
	Run   map[string]string `json:"run"`
	Event map[string]string `json:"event"`
}

// fresh is how old a telling may be. Between then and now somebody may have removed the event so that it is not handled.
const fresh = 5 * time.Second

// inherited are fields of a run that are told with its event, when they are the same: what a job is told is written three
// times until it is done.
var inherited = []string{"table", "instance", "trace", "user_id", record.SysCreatedOn, record.SysCreatedBy, record.SysUpdatedOn, record.SysUpdatedBy, record.SysModCount}

// told writes a run and its event for the job.
func told(run, e *record.Record) json.RawMessage {
	t := telling{Run: fieldsOf(run), Event: fieldsOf(e)}
	for _, name := range inherited {
		if of, in := t.Run[name]; in && of == t.Event[name] {
			delete(t.Run, name)
		}
	}
	args, err := json.Marshal(t)
	if err != nil { // texts always marshal
		panic(err)
	}
	return args
}

func fieldsOf(r *record.Record) map[string]string {
	out := make(map[string]string, len(r.Values))
	for i, f := range r.Table.Names() {
		if r.Values[i].Valid {
			out[f] = r.Values[i].Text
		}
	}
	return out
}

// hear reads what a job was told: the id of its run, and the run with its event when they can be taken as told.
func (s *Service) hear(job queue.Running) (id string, run, e *record.Record, err error) {
	if bytes.HasPrefix(job.Args, []byte{'"'}) {
		err = json.Unmarshal(job.Args, &id)
		return id, nil, nil, err
	}
	var t telling
	if err = json.Unmarshal(job.Args, &t); err != nil {
		return "", nil, nil, err
	}
	for _, name := range inherited {
		if of, in := t.Event[name]; in && t.Run[name] == "" {
			t.Run[name] = of
		}
	}
	id = t.Run[record.SysID]
	made, err := time.Parse(record.DateTimeLayout, t.Run[record.SysCreatedOn])
	if err != nil || job.Attempt > 1 || s.db.Now().Sub(made) > fresh {
		return id, nil, nil, err
	}
	return id, s.recordOf(RunTable, t.Run), s.recordOf(Table, t.Event), nil
}

func (s *Service) recordOf(table string, fields map[string]string) *record.Record {
	r := record.NewRecord(s.table(table))
	for name, text := range fields {
		if r.Table.Field(name) != nil { // an older version may have had it
			r.Set(name, record.Text(text))
		}
	}
	return r
}
