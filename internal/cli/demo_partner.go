package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"headrace/internal/app"
	"headrace/internal/connect/mock"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
)

// The partner of the demo's third act: it listens on the loopback and fails twice before it opens a ticket.
const (
	demoProject = "demo/major-change"
	demoMessage = "rest/partner.yaml"
	demoPartner = "https://partner.example" // as the project's files have it
	demoTicket  = "EXT-7"
	demoChange  = "CHG0030001"
)

// deliverWithin is how long the demo waits for its one delivery.
const deliverWithin = time.Minute

// partner plays the third act, with a partner and a server that end with it.
func (s *session) partner() (err error) {
	routes := []mock.Route{{Name: "tickets", Method: http.MethodPost, Path: "/tickets", Key: "Idempotency-Key", Answers: []mock.Answer{
		{Status: http.StatusServiceUnavailable, Times: 2}, {Status: http.StatusCreated, JSON: map[string]any{"ticket": demoTicket, "change": demoChange}}}}}
	p, err := mock.Start(s.ctx, mock.New(routes, nil), "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := pointAt(filepath.Join(demoProject, demoMessage), p.URL); err != nil {
		return err
	}
	// The first two acts have tables of their own making; this one wants those that every server has.
	s.data = "partner"
	return inOrder(
		s.act("\n3/3  A major change calls the partner, whose server is failing\n$ export HEADRACE_DATA=partner\n"),
		s.step("project apply "+demoProject, exitDone, "major-change: 12 made"),
		func() error { return s.served(s.change) },
		s.step("trace "+demoChange, exitDone, "503, 503, 201"),
		func() error { return s.counted(p) },
	)
}

// pointAt puts the address of the partner into the project's message.
func pointAt(file, url string) error {
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), demoPartner, url)), 0o644)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the project of the demo cannot be written")
	}
	return nil
}

// served does something while a server works on the demo's data.
func (s *session) served(do func() error) (err error) {
	fmt.Fprintln(s.c.out, "$ headrace serve --listen 127.0.0.1:0 &")
	a, err := app.Open(s.ctx, app.Config{Data: s.data})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(s.ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- a.Serve(ctx, app.ServeConfig{Listen: "127.0.0.1:0", Spool: filepath.Join(s.data, "spool"), Log: slog.New(slog.DiscardHandler),
			Ready: func(app.Serving) { close(ready) }})
	}()
	select {
	case <-ready:
		err = do()
		stop()
		err = errors.Join(err, <-ended)
	case failed := <-ended:
		stop()
		err = failed
	}
	return errors.Join(err, a.Close())
}

// change makes the record, and waits until what follows from it is done.
func (s *session) change() error {
	if err := s.step(`record create --quiet change_request priority=1 short_description="Move core switch"`, exitDone, demoChange)(); err != nil {
		return err
	}
	a, err := app.Open(s.ctx, app.Config{Data: s.data})
	if err != nil {
		return err
	}
	return errors.Join(s.delivered(a), a.Close())
}

func (s *session) delivered(a *app.App) error {
	ctx, cancel := context.WithTimeout(s.ctx, deliverWithin)
	defer cancel()
	t, err := a.DB.Table(outbound.DeliveryTable)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for row, err := range a.DB.As(record.System).Select(ctx, &record.Query{Table: t, Fields: []string{"state"}}) {
			if err != nil {
				return err
			}
			if row[0].Text == string(outbound.Done) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.New(fault.Internal, "the demo is wrong: the partner was not called within %s", deliverWithin)
		}
	}
}

// counted tells what the partner saw: every attempt, and one ticket.
func (s *session) counted(p *mock.Server) error {
	attempts, tickets := len(p.Received()), p.Counted("tickets")
	if attempts != 3 || tickets != 1 {
		return fault.New(fault.Internal, "the demo is wrong: the partner saw %d attempts and opened %d tickets", attempts, tickets)
	}
	_, err := fmt.Fprintf(s.c.out, "  partner  %d attempts, %d ticket\n", attempts, tickets)
	return writing(err)
}

// words splits a command line as a shell does, as far as the demo needs it: double quotes hold words together.
func words(line string) []string {
	const held = "\x00"
	parts := strings.Split(line, `"`)
	for i := 1; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], " ", held)
	}
	out := strings.Fields(strings.Join(parts, ""))
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], held, " ")
	}
	return out
}
