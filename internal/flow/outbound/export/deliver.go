package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	nethttp "net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
)

// delivery is one attempt to leave the file of a run at its place.
type delivery struct {
	*job
	s      *Service
	policy outbound.Policy
	target *target
	place  source.Files
	put    source.Putter
	bytes  *os.File // in the spool
	began  time.Time
}

// deliver makes one attempt, and writes down what came of it.
func (s *Service) deliver(ctx context.Context, j *job) error {
	d := &delivery{job: j, s: s, began: s.cfg.Clock()}
	start := time.Now()
	err := d.attempt(ctx)
	took := time.Since(start)
	if errors.Is(err, errMoot) {
		return nil
	}
	return d.settle(ctx, err, took)
}

// attempt delivers the file, unless it is there already: an attempt before this one may have left it, and its answer was
// lost.
func (d *delivery) attempt(ctx context.Context) (err error) {
	if d.policy, err = d.s.cfg.Outbound.Policy(ctx, d.def.text("delivery_policy")); err != nil {
		return err
	}
	if d.bytes, err = os.Open(d.s.path(d.ID())); err != nil {
		return lost(err)
	}
	defer d.bytes.Close()
	if err := d.open(ctx, d.text("file_name")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.place.Close()) }()
	there, err := d.look(ctx)
	if err == nil && !there {
		err = d.send(ctx)
	}
	if err == nil {
		err = d.control(ctx)
	}
	return err
}

// lost is the fault of a run whose bytes are gone.
func lost(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.NotFound, err, "the bytes of the file are not kept any more").WithHint("make a new run")
	}
	return fault.Wrap(fault.Unavailable, err, "the bytes of the file cannot be read")
}

// open finds the place of a file of that name.
func (d *delivery) open(ctx context.Context, name string) (err error) {
	if d.target, err = d.def.target(name); err != nil {
		return err
	}
	p := Place{Name: d.def.name, URL: d.target.url, Credential: d.def.text("credential"), Dress: d.dress}
	if p.Options, err = d.def.object("options"); err != nil {
		return err
	}
	if d.target.post {
		p.Options["method"] = nethttp.MethodPost
	}
	if d.place, err = d.s.cfg.Open(ctx, p); err != nil {
		return d.def.wrong("connection_url", err)
	}
	var can bool
	if d.put, can = d.place.(source.Putter); !can {
		return errors.Join(d.def.bad("connection_url", "files cannot be left there"), d.place.Close())
	}
	if d.target.post && d.def.text("control_file") != "none" {
		return errors.Join(d.def.bad("control_file", "a control file cannot be sent by POST"), d.place.Close())
	}
	return nil
}

// dress tells the receiver of a request which file it is, and the key by which it knows a repeat.
func (d *delivery) dress(r *nethttp.Request) {
	if r.Method != nethttp.MethodPut && r.Method != nethttp.MethodPost {
		return
	}
	name := d.text("file_name")
	if h := d.policy.KeyHeader(); h != "" {
		r.Header.Set(h, d.ID())
	}
	r.Header.Set("Content-Type", contentType(name))
	r.Header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

var contentTypes = map[string]string{".csv": "text/csv", ".json": "application/json", ".ndjson": "application/x-ndjson", ".xml": "application/xml", ".gz": "application/gzip",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

func contentType(name string) string {
	if at := strings.LastIndexByte(name, '.'); at >= 0 && contentTypes[name[at:]] != "" {
		return contentTypes[name[at:]]
	}
	return "application/octet-stream"
}

// look finds out whether the file is at its place already, and, where nothing is to be replaced, takes a name that is
// free. A name, once taken, stays the name of the run.
func (d *delivery) look(ctx context.Context) (there bool, err error) {
	if d.target.post {
		return false, nil
	}
	if d.is("unclear") {
		if there, err = d.ours(ctx); there || err != nil {
			return there, err
		}
	}
	if d.is("named") || d.def.is("overwrite") {
		return false, nil
	}
	return false, d.takeName(ctx)
}

// listed gives the file that is at the place; ok is false when there is none.
func (d *delivery) listed(ctx context.Context) (f source.File, ok bool, err error) {
	found, err := d.place.List(ctx)
	switch {
	case err == nil && len(found) == 1 && path.Base(found[0].Path) == path.Base(d.target.path):
		return found[0], true, nil
	case err == nil: // at most a folder of that name
		return f, false, nil
	}
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Denied, fault.Invalid, fault.Refused: // there is none, or files may be left there and not looked at
		return f, false, nil
	}
	return f, false, err
}

// ours reports whether what is at the place is the file of this run: by its size, and by its bytes where they may be read.
func (d *delivery) ours(ctx context.Context) (bool, error) {
	f, ok, err := d.listed(ctx)
	if err != nil || !ok || f.Size >= 0 && f.Size != d.number("bytes") {
		return false, err
	}
	r, err := d.place.Open(ctx, f, 0)
	if err == nil {
		var sum string
		sum, err = sumOf(r)
		if err = errors.Join(err, r.Close()); err == nil {
			return sum == d.text("sha256"), nil
		}
	}
	switch fault.KindOf(err) {
	case fault.Denied, fault.Invalid, fault.Refused: // files may be left there, and not read
		return f.Size >= 0, nil
	case fault.NotFound, fault.Conflict: // somebody took it, or writes it
		return false, nil
	}
	return false, err
}

func sumOf(r io.Reader) (string, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// mostNumbers is how many names are tried.
const mostNumbers = 100

// takeName takes the first name that is free, and writes it into the run before anything is sent.
func (d *delivery) takeName(ctx context.Context) error {
	for n := range mostNumbers {
		name, err := d.def.nextName(d.job, n)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := errors.Join(d.place.Close(), d.open(ctx, name)); err != nil {
				return err
			}
		}
		_, taken, err := d.listed(ctx)
		if err != nil {
			return err
		}
		if taken && d.target.fixed {
			return fault.New(fault.Conflict, "there is a file at that address already").WithHint("end connection_url with / so that files get names of their own, or set overwrite")
		}
		if !taken {
			return d.named(ctx, name, n)
		}
	}
	return fault.New(fault.Conflict, "%s and %d more names are taken", d.text("file_name"), mostNumbers-1).WithHint("put ${seq} or ${time} into file_name, or set overwrite")
}

func (d *delivery) named(ctx context.Context, name string, n int) error {
	values := map[string]string{"file_name": name, "named": "true"}
	if n > 0 && d.def.numbered() {
		values["sequence"] = strconv.FormatInt(d.number("sequence")+int64(n), 10)
	}
	return d.s.set(ctx, d.job, values)
}

// send leaves the bytes at the place. That it was tried is written down before, so that a process that dies in the middle
// is known not to know.
func (d *delivery) send(ctx context.Context) error {
	again := d.is("unclear")
	if again && d.policy.AtMostOnce() || again && d.target.post && d.policy.KeyHeader() == "" {
		return fault.New(fault.Refused, "an attempt before may have left the file, and it is not sent twice").WithHint("ask the receiver; `headrace export replay %s` sends it again", d.ID())
	}
	err := d.s.set(ctx, d.job, map[string]string{"state": string(Sending), "unclear": "true", "place": d.shown()})
	if err != nil {
		return err
	}
	// A web server may have kept half of what an attempt sent. The name was free before, so that half is ours.
	replace := d.def.is("overwrite") || again && d.web()
	err = d.put.Put(ctx, d.target.path, d.bytes, replace)
	if err == nil || fault.KindOf(err) != fault.Conflict || d.target.post {
		return err
	}
	if there, looking := d.ours(ctx); looking == nil && there {
		return nil
	}
	// Somebody else took the name since it was found free.
	return errors.Join(fault.Wrap(fault.Unavailable, err, "somebody else has left a file of that name"), d.s.set(ctx, d.job, map[string]string{"named": "false", "unclear": "false"}))
}

func (d *delivery) web() bool { return strings.HasPrefix(d.target.url, "http") }

// shown is the address without what may be secret in it.
func (d *delivery) shown() string {
	at, _, _ := strings.Cut(d.target.url, "?")
	if scheme, rest, ok := strings.Cut(at, "://"); ok {
		if i := strings.LastIndexByte(strings.SplitN(rest, "/", 2)[0], '@'); i >= 0 {
			at = scheme + "://" + rest[i+1:]
		}
	}
	return at
}

// control leaves the control file, last: whoever sees it knows that the file is whole.
func (d *delivery) control(ctx context.Context) error {
	name, sum := d.text("file_name"), d.text("sha256")
	kind, text := d.def.text("control_file"), ""
	switch kind {
	case "ok":
		told, err := json.Marshal(map[string]any{"name": name, "count": d.number("rows_written"), "size": d.number("bytes"), "sha256": sum})
		if err != nil {
			return err
		}
		text = string(told) + "\n"
	case "sha256":
		text = sum + "  " + name + "\n"
	default:
		return nil
	}
	return d.put.Put(ctx, d.target.path+"."+kind, strings.NewReader(text), true)
}

// settle writes an attempt down, and what follows from it.
func (d *delivery) settle(ctx context.Context, cause error, took time.Duration) error {
	values := d.next(cause)
	outcome := "done"
	if cause != nil {
		outcome = fault.KindOf(cause).String()
	}
	sent := "0"
	if d.bytes != nil {
		sent = d.text("bytes")
	}
	tried := map[string]string{"export_run": d.ID(), "attempt": values["attempts"], "outcome": outcome, "error": values["error"], "started": stamp(d.began),
		"millis": strconv.FormatInt(took.Milliseconds(), 10), "bytes": sent}
	if d.target != nil {
		tried["place"] = d.shown()
	}
	err := d.s.set(ctx, d.job, values, func(ctx context.Context, w *record.Writer) error {
		_, err := d.s.insert(ctx, w, AttemptTable, tried)
		return err
	})
	return ignoreMoot(err)
}

func ignoreMoot(err error) error {
	if errors.Is(err, errMoot) {
		return nil
	}
	return err
}

// next decides what follows an attempt: trouble of the surroundings is tried again, whatever else somebody must look at.
func (d *delivery) next(cause error) map[string]string {
	now := d.s.cfg.Clock()
	attempts, counted := int(d.number("attempts"))+1, int(d.number("counted"))+1
	out := map[string]string{"attempts": strconv.Itoa(attempts), "counted": strconv.Itoa(counted), "state": string(Done), "reason": "", "error": "", "next_try": "", "completed": stamp(now)}
	if cause == nil {
		out["unclear"], out["keep_until"] = "false", stamp(now.Add(d.def.retention()))
		return out
	}
	out["reason"], out["error"] = fault.KindOf(cause).String(), told(cause)
	kind := fault.KindOf(cause)
	wait, why := d.policy.Next(counted, 0, now, d.when("expires"))
	switch {
	case kind == fault.Canceled: // whoever asked gave up; that is nobody's fault, and counts for nothing
		out["state"], out["next_try"], out["completed"], out["counted"] = string(Retry), stamp(now), "", strconv.Itoa(counted-1)
	case kind == fault.Unavailable && why == "":
		out["state"], out["next_try"], out["completed"] = string(Retry), stamp(now.Add(wait)), ""
	default:
		d.cause = cause
		out["state"], out["keep_until"] = string(Dead), stamp(now.Add(d.def.retention()))
		if kind == fault.Unavailable {
			out["error"] += "; " + why
		}
	}
	return out
}

// told is an error with its hint, for people who look at the run later.
func told(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// retention is how long the bytes are kept once nothing is left to do.
func (s *set) retention() time.Duration {
	days, err := strconv.Atoi(s.text("retention_days"))
	if err != nil {
		days = 0
	}
	return time.Duration(days) * 24 * time.Hour
}

// numbered reports whether names have the number of the file in them.
func (s *set) numbered() bool {
	pattern := s.text("file_name")
	return pattern == "" || strings.Contains(pattern, "${seq}")
}
