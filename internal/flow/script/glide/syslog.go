package glide

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
	"headrace/internal/flow/script"
)

// LogTable is where scripts log to.
const LogTable = "syslog"

// levels are what the platform writes for the level of a log entry.
var levels = map[string]string{"debug": "-1", "info": "0", "warn": "1", "error": "2"}

// Tables lists the tables of this package, for the composition root. The log is book-keeping: nothing hooks onto it and
// it leaves no change rows.
func Tables() []record.Table {
	text := func(name, label string, length int) record.Field {
		return record.Field{Name: name, Label: label, Type: record.String, Length: length}
	}
	return []record.Table{{Name: LogTable, Label: "Log", Bare: true, Key: []string{record.SysID}, Fields: []record.Field{
		text(record.SysID, "Sys ID", 32), {Name: record.SysCreatedOn, Label: "Created", Type: record.DateTime}, text(record.SysCreatedBy, "Created by", 100),
		{Name: "level", Label: "Level", Type: record.Integer, Help: "-1 debug, 0 information, 1 warning, 2 error"},
		text("message", "Message", 0), text("source", "Source", 255), text("trace", "Trace", 64),
	}, Indexes: []record.Index{{Fields: []string{record.SysCreatedOn}}}}}
}

const (
	// mostLogged is how much of one message is kept, in bytes.
	mostLogged = 64 << 10
	// mostWaiting is how many entries wait to be written; when scripts log faster, the oldest go and are counted.
	mostWaiting = 20_000
	flushEvery  = time.Second
)

// logbook collects entries until they are written. Scripts run inside transactions that may be rolled back, and what they
// logged is wanted then most of all: entries are written apart from them, a moment later.
type logbook struct {
	mu      sync.Mutex
	waiting []record.Value // flat, in the order of logFields
	lost    int
	writing sync.Mutex // one writer at a time, so that entries stay in order
}

var logFields = []string{record.SysID, record.SysCreatedOn, record.SysCreatedBy, "level", "message", "source", "trace"}

func (b *logbook) add(row []record.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) >= mostWaiting*len(logFields) {
		b.waiting = b.waiting[len(logFields):]
		b.lost++
	}
	b.waiting = append(b.waiting, row...)
}

func (b *logbook) take() ([]record.Value, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows, lost := b.waiting, b.lost
	b.waiting, b.lost = nil, 0
	return rows, lost
}

// Flush writes what scripts have logged into the table syslog.
func (m *Library) Flush(ctx context.Context) error {
	m.book.writing.Lock()
	defer m.book.writing.Unlock()
	rows, lost := m.book.take()
	if lost > 0 {
		rows = append(rows, logRow(m.cfg.Clock(), "system", "warn", strconv.Itoa(lost)+" log entries were lost: scripts logged faster than they could be written", "", "")...)
	}
	if len(rows) == 0 {
		return nil
	}
	t := m.cfg.DB.Catalog().Table(LogTable)
	return m.cfg.DB.Store().Write(ctx, record.Resumable, func(tx record.Tx) error {
		return tx.Insert(ctx, t, &record.Rows{Fields: logFields, Values: rows})
	})
}

// Keep writes the log now and then until ctx ends, and once more then.
func (m *Library) Keep(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.Flush(context.WithoutCancel(ctx))
		case <-tick.C:
			if err := m.Flush(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func logRow(now time.Time, by, level, message, source, trace string) []record.Value {
	if len(message) > mostLogged {
		message = record.Clip(message[:mostLogged])
	}
	value := func(s string) record.Value { return record.Value{Text: s, Valid: s != ""} }
	return []record.Value{record.Text(record.NewID()), record.Text(now.UTC().Format(record.DateTimeLayout)), value(by),
		record.Text(levels[level]), value(message), value(source), value(trace)}
}

// Record keeps an entry for the table syslog. It is what an engine logs to. What is only printed is not kept, as on the
// platform.
func (m *Library) Record(_ context.Context, e script.LogEntry) {
	if _, kept := levels[e.Level]; !kept {
		return
	}
	m.book.add(logRow(m.cfg.Clock(), e.Actor, e.Level, e.Message, e.Source, e.Trace))
}

func (l *lib) log(level, message, source string) {
	l.s.Log(script.LogEntry{Level: level, Message: message, Source: source})
}

// logCalls are the functions of gs that log. Those named after a level fill {0} to {4}.
var logCalls = map[string]call{
	"info":       logAt("info"),
	"warn":       logAt("warn"),
	"error":      logAt("error"),
	"debug":      debug,
	"log":        logFrom("info"),
	"logWarning": logFrom("warn"),
	"logError":   logFrom("error"),
	"print":      printLine,
	"trace":      debug,
}

func logAt(level string) call {
	return func(l *lib, a arguments) any {
		l.log(level, filled(l, a), "")
		return goja.Undefined()
	}
}

func filled(l *lib, a arguments) string {
	texts := make([]string, max(0, len(a.list)-1))
	for i := range texts {
		texts[i] = l.shownText(a.value(i + 1))
	}
	return fill(l.shownText(a.value(0)), texts, false)
}

// shownText is a value as a log shows it: null and undefined by name.
func (l *lib) shownText(v goja.Value) string {
	if missing(v) && v != nil {
		return v.String()
	}
	return l.text(v)
}

func logFrom(level string) call {
	return func(l *lib, a arguments) any {
		l.log(level, l.shownText(a.value(0)), a.text(1))
		return goja.Undefined()
	}
}

// debugProperty turns gs.debug on.
const debugProperty = "glide.script.debug"

func (l *lib) debugging() bool { return l.property(debugProperty) == "true" }

func debug(l *lib, a arguments) any {
	if l.debugging() {
		l.log("debug", filled(l, a), "")
	}
	return goja.Undefined()
}

// printLine goes to whoever runs the script and not into the table.
func printLine(l *lib, a arguments) any {
	l.s.Log(script.LogEntry{Level: "print", Message: l.shownText(a.value(0))})
	return goja.Undefined()
}
