package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// sample is one measurement.
type sample struct {
	took      time.Duration
	latencies []time.Duration
}

// drive sends requests on a number of connections, each the next when it has its answer, for a time. Any answer that is
// not the expected one ends the benchmark.
func drive(ctx context.Context, s *server, l load, length time.Duration) (sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	results, failures := make([][]time.Duration, l.connections), make(chan error, l.connections)
	began := time.Now()
	for i := range l.connections {
		wait.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
			defer client.CloseIdleConnections()
			for time.Since(began) < length {
				at := time.Now()
				if err := s.request(ctx, client, l.what); err != nil {
					failures <- err
					cancel()
					return
				}
				results[i] = append(results[i], time.Since(at))
			}
		})
	}
	wait.Wait()
	select {
	case err := <-failures:
		return sample{}, err
	default:
	}
	return sample{took: time.Since(began), latencies: slices.Concat(results...)}, nil
}

// request does one request and checks its answer.
func (s *server) request(ctx context.Context, client *http.Client, what string) error {
	method, url, want, body := http.MethodGet, s.list, http.StatusOK, []byte(nil)
	if what == "create" {
		method, url, want, body = http.MethodPost, s.create, s.created, asset(s.next.Add(1))
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.user != "" {
		req.SetBasicAuth(s.user, s.password)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s: status %d: %.300s", method, url, resp.StatusCode, answer)
	}
	if what == "list" {
		if rows := bytes.Count(answer, []byte(`"asset_tag":`)); rows != pageRows {
			return fmt.Errorf("%s: %d rows, want %d: %.300s", url, rows, pageRows, answer)
		}
		if !s.hasTotal(resp.Header, answer) {
			return fmt.Errorf("%s: no total: %.300s", url, answer)
		}
	}
	return nil
}

// pageRows is how many records a list has.
const pageRows = 50

// asset is record n as JSON; its values are of the length that the import benchmark's have.
func asset(n int64) []byte {
	return fmt.Appendf(nil, `{"asset_tag":"API%09d","serial_number":"SN%010X","name":"krk-file-%05d","model":"Mosaic 14 notebook","manufacturer":"Tessellate",`+
		`"email":"wei.bakker%d@example.com","location":"Nairobi West / Rack %d","purchase_date":"2021-12-05","cost":"7069.77","status":"On order",`+
		`"ip_address":"10.91.%d.%d","description":"label reads \"do not move\", screen 27 inches, stand missing, see change note"}`,
		n, n*7919, n, n, n%400, n%251, n%249)
}

// summary is the median of the rounds.
type summary struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
}

// String is the summary for people.
func (s summary) String() string {
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s", s.rate, s.p50.Round(10*time.Microsecond), s.p99.Round(10*time.Microsecond))
}

func summarise(samples []sample) summary {
	var rates []float64
	var p50, p99 []time.Duration
	for _, s := range samples {
		slices.Sort(s.latencies)
		n := len(s.latencies)
		rates = append(rates, float64(n)/s.took.Seconds())
		p50, p99 = append(p50, s.latencies[n/2]), append(p99, s.latencies[n*99/100])
	}
	slices.Sort(rates)
	slices.Sort(p50)
	slices.Sort(p99)
	m := len(samples) / 2
	return summary{rates[m], p50[m], p99[m]}
}
