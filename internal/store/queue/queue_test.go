package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/record"
	"headrace/internal/store/queue"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func open(t *testing.T, cfg sqlstore.Config, work queue.Worker) (*sqlstore.Store, *queue.Queue) {
	t.Helper()
	store := stores.Open(t, cfg)
	q, err := queue.New(t.Context(), store, queue.Config{Workers: map[string]queue.Worker{"note": work}})
	if err != nil {
		t.Fatal(err)
	}
	return store, q
}

func insert(t *testing.T, store *sqlstore.Store, q *queue.Queue, jobs ...queue.Job) {
	t.Helper()
	err := store.Write(t.Context(), record.Durable, func(tx record.Tx) error { return q.Insert(t.Context(), tx, jobs...) })
	if err != nil {
		t.Fatal(err)
	}
}

func note(i int) queue.Job { return queue.Job{Kind: "note", Args: json.RawMessage(fmt.Sprint(i))} }

func drain(t *testing.T, q *queue.Queue, until time.Time) int {
	t.Helper()
	n, err := q.Drain(t.Context(), until)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAJobExistsIfItsTransactionCommits(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		var got []string
		store, q := open(t, cfg, func(_ context.Context, job queue.Running) error {
			got = append(got, string(job.Args))
			return nil
		})
		failed := errors.New("rolled back")
		err := store.Write(t.Context(), record.Durable, func(tx record.Tx) error {
			if err := q.Insert(t.Context(), tx, note(1)); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		err = store.Write(t.Context(), record.Durable, func(tx record.Tx) error {
			if err := tx.Nest(t.Context(), func(tx record.Tx) error {
				return errors.Join(q.Insert(t.Context(), tx, note(2)), failed)
			}); !errors.Is(err, failed) {
				return err
			}
			return q.Insert(t.Context(), tx, note(3), note(4))
		})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = store.Write(t.Context(), record.Durable, func(tx record.Tx) error {
				if err := q.Insert(t.Context(), tx, note(5)); err != nil {
					t.Error(err)
				}
				panic("in the transaction")
			})
		}()
		if n := drain(t, q, time.Now()); n != 2 || !slices.Equal(got, []string{"3", "4"}) {
			t.Errorf("%d jobs: %v", n, got)
		}
	})
}

func TestOutcomesDecideWhetherAJobRunsAgain(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		outcome := map[string]error{"1": errors.New("broken"), "2": queue.Snooze(time.Hour), "3": queue.Cancel(errors.New("never"))}
		var got []string
		store, q := open(t, cfg, func(_ context.Context, job queue.Running) error {
			got = append(got, fmt.Sprintf("%s.%d", job.Args, job.Attempt))
			return outcome[string(job.Args)]
		})
		insert(t, store, q, note(1), note(2), note(3))
		now := time.Now()
		drain(t, q, now)
		outcome = nil
		drain(t, q, now.Add(time.Minute))
		if want := []string{"1.1", "2.1", "3.1", "1.2"}; !slices.Equal(got, want) {
			t.Errorf("ran %v, want %v", got, want)
		}
		if at, ok, err := q.NextDue(t.Context()); err != nil || !ok || at.Before(now.Add(59*time.Minute)) {
			t.Errorf("next due %v %v %v", at, ok, err)
		}
		drain(t, q, now.Add(2*time.Hour))
		if last := got[len(got)-1]; last != "2.1" {
			t.Errorf("a snoozed job counts the attempt: %s", last)
		}
	})
}

func TestAQueueIsWorkedByItself(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		var got []string
		store := stores.Open(t, cfg)
		q, err := queue.New(t.Context(), store, queue.Config{Queues: map[string]int{queue.Default: 1, "other": 1},
			Workers: map[string]queue.Worker{"note": func(_ context.Context, job queue.Running) error {
				got = append(got, string(job.Args))
				return nil
			}}})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		later := note(2)
		later.Queue, later.At = "other", now.Add(time.Hour)
		insert(t, store, q, note(1), later)
		if at, ok, err := q.NextDue(t.Context(), queue.Default); err != nil || !ok || at.Before(now.Add(59*time.Minute)) {
			t.Errorf("but for the default queue, next due %v %v %v", at, ok, err)
		}
		if _, ok, err := q.NextDue(t.Context(), queue.Default, "other"); err != nil || ok {
			t.Errorf("but for all queues, next due %v %v", ok, err)
		}
		if n, err := q.Drain(t.Context(), now.Add(2*time.Hour), "other"); err != nil || n != 1 || !slices.Equal(got, []string{"2"}) {
			t.Errorf("of the other queue %d jobs were worked: %v, %v", n, got, err)
		}
		if n := drain(t, q, now.Add(2*time.Hour)); n != 1 {
			t.Errorf("%d jobs were left", n)
		}
	})
}

func TestAUniqueJobIsThereOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		store, q := open(t, cfg, func(context.Context, queue.Running) error { return nil })
		job := note(1)
		job.Unique = "schedule 7"
		insert(t, store, q, job)
		insert(t, store, q, job)
		insert(t, store, q, note(1))
		if n := drain(t, q, time.Now()); n != 2 {
			t.Errorf("%d jobs were worked", n)
		}
	})
}

// Two nodes share a queue: each job is worked once, by either.
func TestNodesShareAQueue(t *testing.T) {
	const jobs = 200
	cfg := stores.Postgres(t)
	var mu sync.Mutex
	times := map[string]int{}
	done := make(chan struct{}, jobs*2)
	work := func(_ context.Context, job queue.Running) error {
		mu.Lock()
		times[string(job.Args)]++
		mu.Unlock()
		done <- struct{}{}
		return nil
	}
	store, one := open(t, cfg, work)
	_, two := open(t, cfg, work)
	for _, q := range []*queue.Queue{one, two} {
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range jobs {
		insert(t, store, one, note(i))
	}
	for range jobs {
		<-done
	}
	for _, q := range []*queue.Queue{one, two} {
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range jobs {
		if n := times[fmt.Sprint(i)]; n != 1 {
			t.Errorf("job %d ran %d times", i, n)
		}
	}
}

func TestAStartedQueueWorksAtOnceAndStopsWithItsJobsDone(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		begun, ended := make(chan struct{}), make(chan struct{})
		store, q := open(t, cfg, func(context.Context, queue.Running) error {
			close(begun)
			<-ended
			return nil
		})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		insert(t, store, q, note(1))
		<-begun
		stopped := make(chan error)
		go func() { stopped <- q.Stop(t.Context()) }()
		close(ended)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		if left, err := q.Waiting(t.Context()); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}
