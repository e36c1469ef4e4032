package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// pushed is a server that is killed and started again at one address, and the clients that push rows to it.
type pushed struct {
	t   *testing.T
	h   *home
	at  string // host:port
	now *process
}

const pushPassword = "in the test only"

func (p *pushed) start() {
	p.now = p.h.start(p.t, "serve", "--listen", p.at, "-q")
	for {
		resp, err := http.Get("http://" + p.at + "/readyz")
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && err == nil {
				return
			}
		}
		if time.Since(p.now.began) > time.Minute {
			p.t.Fatalf("the server does not start\n%s", p.kill())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *pushed) kill() *ended {
	if err := p.now.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	return p.now.end()
}

// impatient does not wait for a server that hangs.
var impatient = &http.Client{Timeout: time.Minute}

// call makes a call; an error means that the server is not there, or went away before it answered.
func (p *pushed) call(method, path, body string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+p.at+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.SetBasicAuth("admin", pushPassword)
	r.Header.Set("Content-Type", "application/json")
	resp, err := impatient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// made makes a record through the Table API and gives its id.
func (p *pushed) made(table, body string) string {
	p.t.Helper()
	status, answer, err := p.call(http.MethodPost, "/api/now/table/"+table, body)
	var got struct {
		Result struct {
			ID string `json:"sys_id"`
		}
	}
	if err == nil {
		err = json.Unmarshal(answer, &got)
	}
	if err != nil || status != http.StatusCreated {
		p.t.Fatalf("%s: %d %s %v", table, status, answer, err)
	}
	return got.Result.ID
}

// push pushes the rows of one batch until they are acknowledged, and gives the address of their status.
func (p *pushed) push(client, batch, rows int) string {
	var b bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&b, `,{"Key":"%d-%d-%d","Name":"department %d"}`, client, batch, i, i)
	}
	body := `{"records":[` + b.String()[1:] + `]}`
	for range 2000 {
		status, answer, err := p.call(http.MethodPost, "/api/now/import/u_departments/insertMultiple", body)
		var got map[string]string
		switch {
		case err != nil || status == http.StatusServiceUnavailable:
			time.Sleep(20 * time.Millisecond) // the server is being killed, or starts
			continue
		case status != http.StatusCreated:
			p.t.Errorf("%d %s", status, answer)
			return ""
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			p.t.Errorf("%v: %s", err, answer)
		}
		return strings.TrimPrefix(got["status_url"], "http://"+p.at)
	}
	p.t.Error("the server does not come back")
	return ""
}

// TestRowsPushedSurviveKills pushes rows from 8 clients to a server that is killed at random. Every row that was
// acknowledged is kept and transformed once, and every ledger balances.
func TestRowsPushedSurviveKills(t *testing.T) {
	t.Setenv("HEADRACE_ADMIN_PASSWORD", pushPassword)
	onBoth(t, func(t *testing.T, h *home) {
		const clients, rows = 8, 100
		batches, kills := short(10, 125), short(4, 30)
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := &pushed{t: t, h: h, at: free.Addr().String()}
		if err := free.Close(); err != nil {
			t.Fatal(err)
		}
		p.start()
		defer func() { p.now.cmd.Process.Signal(os.Interrupt); p.now.end() }()
		m := p.made("sys_transform_map", `{"name":"Departments","source_table":"u_departments","target_table":"cmn_department"}`)
		p.made("sys_transform_entry", `{"map":"`+m+`","source_field":"Key","target_field":"id","coalesce":"true"}`)
		p.made("sys_transform_entry", `{"map":"`+m+`","source_field":"Name","target_field":"name"}`)
		var mu sync.Mutex
		var acknowledged []string
		var pushing sync.WaitGroup
		over := make(chan struct{})
		for c := range clients {
			pushing.Go(func() {
				for b := range batches {
					at := p.push(c, b, rows)
					mu.Lock()
					acknowledged = append(acknowledged, at)
					mu.Unlock()
				}
			})
		}
		go func() { pushing.Wait(); close(over) }()
		for range kills {
			time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
			p.kill()
			p.start()
		}
		<-over
		if len(acknowledged) != clients*batches {
			t.Fatalf("%d batches acknowledged", len(acknowledged))
		}
		began := time.Now()
		for _, at := range acknowledged {
			p.balances(at, rows, began.Add(2*time.Minute))
		}
		status, answer, err := p.call(http.MethodGet, "/api/now/stats/cmn_department?sysparm_count=true&sysparm_query=nameSTARTSWITHdepartment", "")
		if want := fmt.Sprintf(`"count":"%d"`, clients*batches*rows); err != nil || status != http.StatusOK || !strings.Contains(string(answer), want) {
			t.Errorf("%d %s %v, not %s", status, answer, err, want)
		}
	})
}

// balances waits until a load is transformed, and checks that each of its rows has come to something good.
func (p *pushed) balances(at string, rows int64, until time.Time) {
	p.t.Helper()
	var got struct {
		State  string
		Counts struct{ Read, Inserted, Updated, Unchanged int64 }
	}
	for got.State != "done" {
		status, answer, err := p.call(http.MethodGet, at+"?status=error", "")
		if err == nil {
			err = json.Unmarshal(answer, &got)
		}
		if err != nil || status != http.StatusOK || time.Now().After(until) {
			p.t.Fatalf("%s: %d %s %v", at, status, answer, err)
		}
	}
	if c := got.Counts; c.Read != rows || c.Inserted+c.Unchanged != rows {
		p.t.Errorf("%s: %+v", at, got)
	}
}
