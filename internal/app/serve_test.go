package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/app"
	"headrace/internal/core/fault"
)

// started serves from a folder until stop is called, which gives what Serve returned.
func started(t *testing.T, dir string) (s app.Serving, stop func() error) {
	t.Helper()
	a, err := app.Open(context.Background(), app.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan app.Serving, 1), make(chan error, 1)
	go func() {
		err := a.Serve(ctx, app.ServeConfig{Listen: "127.0.0.1:0", Spool: filepath.Join(dir, "spool"), Drain: 20 * time.Second,
			Log: slog.New(slog.DiscardHandler), Ready: func(s app.Serving) { ready <- s }})
		if closing := a.Close(); err == nil {
			err = closing
		}
		ended <- err
	}()
	stop = func() error { cancel(); return <-ended }
	select {
	case s = <-ready:
	case err := <-ended:
		t.Fatalf("the server ended: %v", err)
	}
	return s, stop
}

func TestThePasswordIsDrawnOnceAndWorks(t *testing.T) {
	dir := t.TempDir()
	first, stop := started(t, dir)
	req, err := http.NewRequest("GET", first.URL+"/api/now/table/incident", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(app.AdminUser, first.Password)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(first.Password) < 20 || resp.StatusCode != 200 || first.Open {
		t.Errorf("%d with a password of %d characters, open %t", resp.StatusCode, len(first.Password), first.Open)
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	again, stop := started(t, dir)
	if again.Password != "" {
		t.Error("a second start draws a password")
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestARequestUnderWayEndsBeforeTheServerDoes(t *testing.T) {
	s, stop := started(t, t.TempDir())
	body, more := io.Pipe()
	req, err := http.NewRequest("POST", s.URL+"/api/v1/inspections", body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(app.AdminUser, s.Password)
	req.Header.Set("Expect", "100-continue") // so that the body is only sent when the server reads it
	client := &http.Transport{ExpectContinueTimeout: time.Minute}
	answered := make(chan string, 1)
	go func() {
		resp, err := client.RoundTrip(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- resp.Status + " " + string(text)
	}()
	if _, err := io.WriteString(more, "serial\n"); err != nil { // returns when the server reads the body
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until it takes nobody new
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	if _, err := io.WriteString(more, "S1\n"); err != nil {
		t.Fatal(err)
	}
	more.Close()
	if got := <-answered; !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"rows":1`) {
		t.Errorf("the request was answered: %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestWhatStandsInTheWayOfServingIsNamed(t *testing.T) {
	a, err := app.Open(context.Background(), app.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for what, c := range map[string]struct {
		cfg  app.ServeConfig
		kind fault.Kind
	}{
		"an address that is taken":     {app.ServeConfig{Listen: taken.Addr().String()}, fault.Unavailable},
		"a certificate without a key":  {app.ServeConfig{Listen: "127.0.0.1:0", TLSCert: "cert.pem"}, fault.Invalid},
		"a certificate that is absent": {app.ServeConfig{Listen: "127.0.0.1:0", TLSCert: "no.pem", TLSKey: "no.pem"}, fault.Invalid},
	} {
		c.cfg.Spool, c.cfg.AdminPassword = t.TempDir(), "a first password 1"
		if err := a.Serve(context.Background(), c.cfg); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", what, err)
		}
	}
}
