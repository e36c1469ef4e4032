package v1

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// keyHeader names a call so that repeating it does it once.
const keyHeader = "Idempotency-Key"

// maxKey is the longest key, in characters.
const maxKey = 200

// How long answers are kept for repeated calls, and how long a call that never ended (its server died) blocks its key.
const (
	keysFor = 24 * time.Hour
	claimed = 15 * time.Minute
)

// KeyTable keeps the answers to calls that had an Idempotency-Key.
const KeyTable = "sys_idempotency_key"

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{{Name: KeyTable, Label: "Idempotency key", Bare: true, Key: []string{"id"}, Fields: []record.Field{
		{Name: "id", Label: "Hash of user and key", Type: record.String},
		{Name: "request", Label: "Hash of the request", Type: record.String},
		{Name: "made", Label: "Made", Type: record.DateTime},
		{Name: "status", Label: "Status", Type: record.Integer}, // 0 while the call is under way
		{Name: "location", Label: "Location", Type: record.String},
		{Name: "body", Label: "Body", Type: record.String},
	}}}
}

// keys is the memory of calls with an Idempotency-Key.
type keys struct{ db *record.DB }

// remembered is a call that was made before.
type remembered struct {
	request        string
	made           time.Time
	status         int64
	location, body string
}

// once does a call, or gives the answer that the same call got before.
func (a *API) once(c *call, o *operation, key string) (*reply, error) {
	if len(key) > maxKey {
		return nil, fault.New(fault.Invalid, "the %s is longer than %d characters", keyHeader, maxKey)
	}
	id, request := hashed(c.who.Actor.ID, key), c.fingerprint(o)
	before, err := a.keys.claim(c.Context(), id, request)
	if err != nil {
		return nil, err
	}
	if before != nil {
		return before.answer(request)
	}
	out, err := o.do(c)
	ctx := context.WithoutCancel(c.Context())
	if err != nil || out.stream != nil {
		if failed := a.keys.release(ctx, id); err == nil {
			err = failed
		}
		return out, err
	}
	return out, a.keys.settle(ctx, id, out)
}

// fingerprint tells one request from another.
func (c *call) fingerprint(o *operation) string {
	parts := []any{o.id, c.URL.Path, c.values, c.body}
	if c.file != nil {
		parts = append(parts, c.file.name, c.file.sum)
	}
	text, err := json.Marshal(parts)
	if err != nil { // decoded JSON and texts always encode
		panic(err)
	}
	return hashed(string(text))
}

func hashed(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write([]byte(p))
		sum.Write([]byte{0})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// answer is what the call got the first time; another request under the same key is refused.
func (m *remembered) answer(request string) (*reply, error) {
	switch {
	case m.request != request:
		return nil, &statusError{http.StatusUnprocessableEntity, fault.New(fault.Invalid, "this %s was used with another request", keyHeader).
			WithHint("draw a new key for every new request")}
	case m.status == 0:
		return nil, fault.New(fault.Conflict, "the first call with this %s has not ended yet", keyHeader).WithHint("ask again in a moment")
	}
	h := http.Header{"Idempotency-Replayed": {"true"}}
	if m.location != "" {
		h.Set("Location", m.location)
	}
	out := &reply{status: int(m.status), header: h}
	if m.body != "" {
		out.body = json.RawMessage(m.body)
	}
	return out, nil
}

func (k *keys) table() *record.Table { return k.db.Catalog().Table(KeyTable) }

// claim marks a key as taken, or finds the call that took it.
func (k *keys) claim(ctx context.Context, id, request string) (before *remembered, err error) {
	err = k.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		if before, err = k.find(ctx, w.Tx(), id); err != nil {
			return err
		}
		if before != nil {
			keep := keysFor
			if before.status == 0 {
				keep = claimed
			}
			if w.Now().Sub(before.made) < keep {
				return nil
			}
			before = nil
			if _, err := w.Tx().Delete(ctx, k.table(), []record.Value{record.Text(id)}); err != nil {
				return err
			}
		}
		return w.Tx().Insert(ctx, k.table(), &record.Rows{Fields: []string{"id", "request", "made", "status"}, Values: []record.Value{
			record.Text(id), record.Text(request), record.Text(w.Now().Format(record.DateTimeLayout)), record.Text("0")}})
	})
	if fault.KindOf(err) == fault.Conflict { // somebody took it between our look and our writing
		return &remembered{request: request}, nil
	}
	return before, err
}

func (k *keys) find(ctx context.Context, tx record.Tx, id string) (*remembered, error) {
	q := &record.Query{Table: k.table(), Fields: []string{"request", "made", "status", "location", "body"},
		Where: &query.Term{Field: "id", Op: query.Equal, Values: []string{id}}}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		made, err := time.Parse(record.DateTimeLayout, row[1].Text)
		if err != nil {
			return nil, err
		}
		status, err := json.Number(row[2].Text).Int64()
		return &remembered{request: row[0].Text, made: made, status: status, location: row[3].Text, body: row[4].Text}, err
	}
	return nil, nil
}

// release gives a key free: its call changed nothing that a repetition would not take up.
func (k *keys) release(ctx context.Context, id string) error {
	return k.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		_, err := w.Tx().Delete(ctx, k.table(), []record.Value{record.Text(id)})
		return err
	})
}

// settle keeps the answer of a call.
func (k *keys) settle(ctx context.Context, id string, out *reply) error {
	body := ""
	if out.body != nil {
		text, err := json.Marshal(out.body)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "the answer cannot be written")
		}
		body = string(text)
	}
	status := out.status
	if status == 0 {
		status = http.StatusOK
	}
	number, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return k.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		_, err := w.Tx().Update(ctx, k.table(), &record.Rows{Fields: []string{"id", "status", "location", "body"}, Values: []record.Value{
			record.Text(id), record.Text(string(number)), record.Text(out.header.Get("Location")), record.Text(body)}})
		return err
	})
}

// sweep forgets answers that nobody will ask for any more.
func (k *keys) sweep(ctx context.Context) error {
	return k.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		var old []record.Value
		q := &record.Query{Table: k.table(), Fields: []string{"id"}, Where: &query.Term{Field: "made", Op: query.Less,
			Values: []string{w.Now().Add(-keysFor).Format(record.DateTimeLayout)}}}
		for row, err := range w.Tx().Select(ctx, q) {
			if err != nil {
				return err
			}
			old = append(old, row[0])
		}
		if len(old) == 0 {
			return nil
		}
		_, err := w.Tx().Delete(ctx, k.table(), old)
		return err
	})
}
