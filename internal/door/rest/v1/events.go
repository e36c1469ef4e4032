package v1

import (
	"encoding/json"
	"net/http"
	"time"

	"headrace/internal/flow/importset"
)

// How often a run is looked at for its followers, and how often a silent stream shows that it lives.
const (
	lookEvery = 250 * time.Millisecond
	aliveTick = 15 * time.Second
)

// follow streams a run until it has ended, its follower leaves or the server stops. Runs are looked up in the store, so
// that every server of a store can be asked about any of them.
func (a *API) follow(c *call) (*reply, error) {
	number := c.number("run", 0)
	if _, err := a.Imports.Run(c.Context(), number); err != nil {
		return nil, err
	}
	return &reply{stream: func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		f := &follower{w: w, control: http.NewResponseController(w)}
		f.run(c, number)
		return nil
	}}, nil
}

// follower is one stream of events.
type follower struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    string // the run as it was told last
	told    time.Time
	events  int
}

func (f *follower) run(c *call, number int64) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		run, err := c.api.Imports.Run(c.Context(), number)
		if err != nil || f.tell(run) != nil || run.State != importset.Running {
			return // whoever asked sees the stream end and may ask again
		}
		select {
		case <-tick.C:
		case <-c.Context().Done():
			return
		case <-c.api.Stopping:
			return
		}
	}
}

// tell sends the run if it has changed, and a sign of life now and then if not.
func (f *follower) tell(run *importset.Run) error {
	body := RunOf(run, nil)
	body.Seconds = 0 // time alone is no news
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	out := []byte(": alive\n\n")
	switch news := string(text) != f.last; {
	case news || run.State != importset.Running:
		f.events++
		name := "run"
		if run.State != importset.Running {
			name = "end"
		}
		if out, err = event(f.events, name, RunOf(run, nil)); err != nil {
			return err
		}
	case time.Since(f.told) < aliveTick:
		return nil
	}
	f.last, f.told = string(text), time.Now()
	if _, err := f.w.Write(out); err != nil {
		return err
	}
	return f.control.Flush()
}
