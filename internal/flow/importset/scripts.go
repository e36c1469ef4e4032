package importset

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/flow/transform"
)

// Maps with scripts. Scripts that only make a field's value out of the source row run where rows are matched, block by
// block, and may read but not write. All others see row after row: each row is matched, scripted and written before the next
// one's scripts run, in the transaction of their block. To keep that quick, records are looked up for many rows at once and
// written together as long as no script looks into the database, and looked up anew after one has written to it.

const (
	reasonIgnored = "script_ignored"
	reasonScript  = "script_error"
)

// UseScripts gives the service the engine that runs the scripts of maps. It must be called before maps with scripts are used.
func (s *Service) UseScripts(engine *script.Engine) { s.scripts = engine }

// scripted runs fn while the scripts of the pass's map are open. rw is the transaction in which they write; without one they
// may not.
func (p *pass) scripted(ctx context.Context, rw *record.Writer, env script.Env, fn func() error) error {
	if !p.x.m.Scripted() {
		return fn()
	}
	env.Session, env.Writer, env.ReadOnly, env.DryRun = p.im.session(p.k), rw, rw == nil, p.im.planning
	set := transform.ImportSet{Resumed: p.im.run_.Resumed > 0}
	if p.im.book != nil {
		set.Record = p.im.book.set
	}
	if p.scope != nil {
		p.scope.Resume(ctx, env, set)
		return firstOf(fn(), p.scope.Rest())
	}
	run, err := p.x.m.Begin(ctx, p.im.scripts, env, set)
	if err != nil {
		return err
	}
	if p.x.m.Keeps() {
		p.scope = run
		return firstOf(fn(), run.Rest())
	}
	defer run.Close()
	return fn()
}

// endScripts ends scripts that share one scope.
func (p *pass) endScripts() {
	if p.scope != nil {
		p.scope.Close()
		p.scope = nil
	}
}

// between takes the rows of a map through it, between its onStart and its onComplete scripts.
func (p *pass) between(ctx context.Context, rows func() error) error {
	defer p.endScripts()
	if err := p.once(ctx, transform.OnStart); err != nil {
		return err
	}
	if err := rows(); err != nil {
		return err
	}
	return p.once(ctx, transform.OnComplete)
}

// once runs the scripts of a moment that comes once for a map, in a transaction of its own.
func (p *pass) once(ctx context.Context, when string) error {
	if !p.x.m.Has(when) {
		return nil
	}
	err := p.im.session(p.k).Write(ctx, func(rw *record.Writer) error {
		err := p.onceIn(ctx, rw, when)
		if err == nil && p.im.planning {
			return errPlanned
		}
		return err
	})
	if errors.Is(err, errPlanned) {
		return nil
	}
	return err
}

// onceIn is once inside a transaction. When onStart says ignore, no row is transformed.
func (p *pass) onceIn(ctx context.Context, rw *record.Writer, when string) error {
	if !p.x.m.Has(when) {
		return nil
	}
	return p.scripted(ctx, rw, script.Env{}, func() error {
		v := p.x.m.Run().At(when)
		if v.Error {
			return p.halt(when, v)
		}
		p.skipping = v.Ignore && when == transform.OnStart
		return nil
	})
}

// skipAll gives every row of a block the fate of an import that its onStart script called off.
func skipAll(b *block) *matched {
	m := &matched{block: b, out: make([]outcome, b.len()), settled: true}
	for i := range m.out {
		m.out[i] = ignoredBy(transform.OnStart, transform.Verdict{})
	}
	return m
}

// errPlanned undoes what scripts of a plan wrote.
var errPlanned = errors.New("a plan keeps nothing")

// halt is the error with which a script ends the import.
func (p *pass) halt(when string, v transform.Verdict) error {
	message := v.Message
	if message == "" {
		message = "it set error"
	}
	return fault.New(fault.Refused, "%s script of map %s: %s", when, p.x.m.Def.Title(), message).
		WithHint("mend the script or the row; `headrace run resume` goes on from there")
}

// takeInTurn takes a block through a map whose scripts see row after row, and writes it. When a script ends the import it gives
// the rows before that one, and why.
func (p *pass) takeInTurn(ctx context.Context, rw *record.Writer, b *block) (m *matched, halted, err error) {
	if err := p.w.fence.pass(ctx, rw.Tx()); err != nil {
		return nil, nil, err
	}
	t := &turns{p: p, rw: rw, size: b.len()}
	whole := &matched{block: b, settled: true, values: make([]record.Value, 0, b.len()*(len(p.x.m.Fields)+1))}
	env := script.Env{Looks: func() error { return t.flush(ctx) }, Wrote: func() { t.wrote = true }}
	err = p.scripted(ctx, rw, env, func() error {
		for rest := b; rest.len() > 0 && t.halted == nil; {
			head, _ := rest.cut(min(t.size, rest.len()))
			done, err := t.take(ctx, head)
			if err != nil {
				return err
			}
			whole.out = append(whole.out, t.m.out[:done]...)
			whole.values = append(whole.values, t.m.values[:done*(len(p.x.m.Fields)+1)]...)
			_, rest = rest.cut(done)
		}
		return nil
	})
	whole.block, _ = b.cut(len(whole.out))
	whole.created = t.created
	return whole, t.halted, err
}

// turns is the rows of a block taking their turns.
type turns struct {
	p       *pass
	rw      *record.Writer
	m       *matched // the rows that were looked up together
	size    int      // how many are looked up together next
	pending []int    // rows of m that are decided and not written
	wrote   bool     // a script wrote, so what was looked up may be old
	halted  error    // a script ended the import
	created []transform.Created
}

// take looks the rows of b up and takes them in turn, as far as what was looked up holds. It tells how many it took.
func (t *turns) take(ctx context.Context, b *block) (done int, err error) {
	x := t.p.x
	r, err := x.lookUp(ctx, t.rw.Tx(), b, nil)
	if err != nil {
		return 0, err
	}
	t.m, t.wrote, t.pending = r.matched, false, t.pending[:0]
	waits := make([]*wanted, b.len())
	for n := range r.wants {
		waits[r.wants[n].row] = &r.wants[n]
	}
	end := b.len()
	if len(r.deferred) > 0 {
		end = r.deferred[0]
	}
	for done < end && !t.wrote && t.halted == nil {
		if w := waits[done]; w != nil {
			if err := t.row(ctx, w); err != nil {
				return done, err
			}
			if t.halted != nil && t.m.out[done].fate == Pending {
				break
			}
		}
		done++
	}
	if t.wrote {
		t.size = max(1, t.size/2)
	} else {
		t.size = min(blockRows, t.size*2)
	}
	return done, t.flush(ctx)
}

// row takes one row through its scripts.
func (t *turns) row(ctx context.Context, w *wanted) error {
	x, i := t.p.x, w.row
	run := x.m.Run()
	run.Take(t.m.cells[i])
	target, action := x.target(w)
	run.See(transform.Row{Action: action, Target: target})
	v := run.At(transform.OnBefore)
	switch {
	case v.Error && !v.Thrown:
		t.halted = t.p.halt(transform.OnBefore, v)
		t.m.out[i] = outcome{fate: Pending}
		return nil
	case v.Thrown:
		t.m.out[i] = thrown(v)
	case v.Ignore:
		t.m.out[i] = ignoredBy(transform.OnBefore, v)
	default:
		t.m.out[i] = x.scriptedRow(t.m, w, target)
		t.m.out[i].note(v)
	}
	t.pending = append(t.pending, i)
	if !x.m.Has(transform.OnAfter) {
		return nil
	}
	return t.after(ctx, i, action, target)
}

// after writes a row and runs its onAfter scripts.
func (t *turns) after(ctx context.Context, i int, action string, target *record.Record) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	x, o := t.p.x, &t.m.out[i]
	if o.fate == Rejected {
		return nil
	}
	if o.target != "" {
		now, err := x.reread(ctx, t.rw.Tx(), o.target)
		if err != nil {
			return err
		}
		target = now
	}
	run := x.m.Run()
	run.See(transform.Row{Action: action, Target: target})
	if v := run.At(transform.OnAfter); v.Error && !v.Thrown {
		t.halted = t.p.halt(transform.OnAfter, v)
	} else {
		o.note(v)
	}
	return nil
}

// flush writes the rows that are decided. A row whose record somebody else changed since it was looked up cannot be: the
// transaction holds the fence of the target, so that was a script, or a rule, and the row is decided anew.
func (t *turns) flush(ctx context.Context) error {
	if len(t.pending) == 0 {
		return nil
	}
	part := *t.m
	part.rows, part.insertRows, part.updateRows = t.pending, nil, nil
	t.pending = nil
	x, w := t.p.x, t.p.w
	x.collect(&part)
	created := x.m.TakeCreated()
	if err := w.createReferences(ctx, t.rw, created); err != nil {
		return err
	}
	t.created = append(t.created, created...)
	if err := w.insert(ctx, t.rw, &part); err != nil {
		return err
	}
	stale, err := w.update(ctx, t.rw, &part)
	for _, i := range stale {
		t.m.out[i] = outcome{fate: Rejected, reject: &transform.Reject{Code: reasonChanged, Msg: "its record was changed meanwhile", Hint: "`headrace run retry` takes the row again"}}
	}
	return err
}

// target is the record that scripts of a row see: as it is, or as a new one begins.
func (x *matcher) target(w *wanted) (r *record.Record, action string) {
	r = record.NewRecord(x.m.Target)
	if w.hit == nil {
		for n, name := range x.m.Fields {
			r.Set(name, x.m.DefaultOf(n))
		}
		return r, "insert"
	}
	r.Set(record.SysID, record.Text(w.hit.id))
	r.Set(record.SysModCount, w.hit.mod)
	for n, name := range x.m.Fields {
		r.Set(name, w.hit.values[n])
	}
	return r, "update"
}

// scriptedRow maps a row onto its target, lets the map script have its say, and decides.
func (x *matcher) scriptedRow(m *matched, w *wanted, target *record.Record) outcome {
	if w.refused != nil {
		return *w.refused
	}
	i, values, run := w.row, x.rowValues(m, w.row), x.m.Run()
	if reject := x.m.RestFields(run.Cells(m.cells[i]), values, nil, false); reject != nil {
		if reject.Code == "choice_rejected" || reject.Code == "reference_rejected" {
			run.At(transform.OnReject)
		}
		return outcome{fate: Rejected, reject: reject}
	}
	for n, name := range x.m.Fields {
		if !transform.IsKeep(values[n]) && name != record.SysID {
			target.Set(name, values[n])
		}
	}
	v := run.At(transform.MapScript)
	switch {
	case v.Thrown, v.Error:
		return thrown(v)
	case v.Ignore:
		return ignoredBy(transform.MapScript, v)
	}
	o := x.fromTarget(m, w, target)
	o.note(v)
	return o
}

// fromTarget reads what scripts made of the target back into the row's values, and decides its fate.
func (x *matcher) fromTarget(m *matched, w *wanted, target *record.Record) outcome {
	values := x.rowValues(m, w.row)
	for n, name := range x.m.Fields {
		v := target.Get(name)
		if v != values[n] {
			canonical, err := target.Table.Field(name).Value(v)
			if err != nil {
				return outcome{fate: Rejected, reject: &transform.Reject{Code: "value_invalid", Field: name, Value: record.Clip(v.Text), Msg: err.Error()}}
			}
			v = canonical
		}
		values[n] = v
	}
	if w.hit == nil {
		return outcome{fate: Inserted}
	}
	return x.differs(values, *w.hit)
}

// reread reads a record as it was written.
func (x *matcher) reread(ctx context.Context, tx record.Tx, id string) (*record.Record, error) {
	t := x.m.Target
	for row, err := range tx.Select(ctx, &record.Query{Table: t, Fields: t.Names(), Keys: byID(id)}) {
		if err != nil {
			return nil, err
		}
		return &record.Record{Table: t, Values: append([]record.Value(nil), row...)}, nil
	}
	return record.NewRecord(t), nil // a script or a rule deleted it
}

func thrown(v transform.Verdict) outcome {
	message := v.Message
	if message == "" {
		message = "a script set error"
	}
	o := outcome{fate: Rejected, reject: &transform.Reject{Code: reasonScript, Msg: message}}
	o.note(v)
	return o
}

func ignoredBy(when string, v transform.Verdict) outcome {
	o := outcome{fate: Skipped, reject: &transform.Reject{Code: reasonIgnored, Msg: fmt.Sprintf("Row transform ignored by %s script", when)}}
	o.note(v)
	return o
}

// note keeps what scripts want the caller of an import set API to be told; what was said later wins.
func (o *outcome) note(v transform.Verdict) {
	if v.Status == "" && v.Message == "" && len(v.Response) == 0 {
		return
	}
	if o.said == nil {
		o.said = &transform.Verdict{}
	}
	o.said.Status, o.said.Message = cmp.Or(v.Status, o.said.Status), cmp.Or(v.Message, o.said.Message)
	if len(v.Response) > 0 {
		o.said.Response = v.Response
	}
}

// plannedInTurn is takeInTurn for a plan: all that is written is undone.
func (p *pass) plannedInTurn(ctx context.Context, b *block) (m *matched, err error) {
	var halted error
	err = p.im.session(p.k).WriteAs(ctx, record.Resumable, func(rw *record.Writer) error {
		if m, halted, err = p.takeInTurn(ctx, rw, b); err != nil {
			return err
		}
		return errPlanned
	})
	p.x.m.Forget()
	if !errors.Is(err, errPlanned) {
		return nil, err
	}
	if err := p.x.after(m); err != nil {
		return nil, err
	}
	return m, halted
}

// now matches and writes a block inside a transaction that is not the pass's own.
func (p *pass) now(ctx context.Context, rw *record.Writer, b *block) (*matched, error) {
	if !p.x.inTurn {
		var m *matched
		err := p.scripted(ctx, rw, script.Env{}, func() (err error) { m, err = p.x.match(ctx, rw.Tx(), b, nil); return err })
		if err != nil {
			return nil, err
		}
		return m, p.w.write(ctx, rw, m)
	}
	m, halted, err := p.takeInTurn(ctx, rw, b)
	return m, firstOf(err, halted)
}

// pushed takes pushed rows through the map, between its onStart and its onComplete scripts.
func (p *pass) pushed(ctx context.Context, rw *record.Writer, b *block) (*matched, error) {
	defer p.endScripts()
	if err := p.onceIn(ctx, rw, transform.OnStart); err != nil {
		return nil, err
	}
	if p.skipping {
		return skipAll(b), nil
	}
	m, err := p.now(ctx, rw, b)
	if err != nil {
		return nil, err
	}
	return m, p.onceIn(ctx, rw, transform.OnComplete)
}
