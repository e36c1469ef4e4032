package datasource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// job is one bringing in of a saved source.
type job struct {
	*Service
	req    Request
	src    *saved
	maps   []transform.Def
	result *Result
	watch
}

// Run brings in a saved source: what is new of it goes through every active map of its staging table. What was cut off
// before goes on. A Result comes with an error too, when something was done before it.
func (s *Service) Run(ctx context.Context, req Request) (*Result, error) {
	for {
		result, err := s.attempt(ctx, req)
		if !req.Patient || !Busy(err) {
			return result, err
		}
		if err := s.Wait(ctx, busyWait); err != nil {
			return result, err
		}
	}
}

// busyWait is how often a patient one looks whether a source is free.
const busyWait = 5 * time.Second

func (s *Service) attempt(ctx context.Context, req Request) (*Result, error) {
	r, err := s.find(ctx, req.Name)
	if err != nil {
		return nil, err
	}
	if r.Get("active").Text != "true" {
		return nil, fault.New(fault.Refused, "data source %s is not active", req.Name).WithHint("set its field active to true")
	}
	j := &job{Service: s, req: req, result: &Result{State: StateNothing, Runs: []*importset.Run{}}}
	if j.src, err = s.compile(ctx, r); err == nil {
		err = j.claimed(ctx)
	}
	if err = j.ended(ctx, r, err); err != nil {
		j.result.State, j.result.Message = StateFailed, err.Error()
	}
	return j.result, err
}

// claimed does the work while nobody else does.
func (j *job) claimed(ctx context.Context) error {
	release, err := j.claim(ctx, j.src)
	if err != nil {
		return err
	}
	defer release()
	j.ours = true
	if j.maps, err = j.mapsOf(ctx, j.src); err != nil {
		return err
	}
	if j.src.kind.Files != nil {
		err = j.files(ctx)
	} else {
		err = j.rows(ctx)
	}
	j.ours = !errors.Is(err, errLost)
	var f *fault.Error
	if errors.As(err, &f) && strings.HasPrefix(f.Op+": ", j.src.name+": ") { // a reading of rows is called by the name of its source
		own := *f
		own.Op, err = strings.TrimPrefix(strings.TrimPrefix(f.Op, j.src.name), ": "), &own
	}
	return fault.During("data source "+j.src.name, err)
}

// mapsOf gives the active maps of the staging table of a source.
func (s *Service) mapsOf(ctx context.Context, d *saved) ([]transform.Def, error) {
	if d.staging == "" {
		return nil, fault.New(fault.Invalid, "data source %s names no staging table", d.name).
			WithHint("set import_set_table_name; the transform maps with that source_table take the rows")
	}
	st, err := s.Imports.Staging(ctx, d.staging)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	if err != nil || len(st.Maps) == 0 {
		return nil, fault.New(fault.Invalid, "data source %s: staging table %s has no active transform map", d.name, d.staging).
			WithHint("make a map whose source_table is %s", d.staging)
	}
	for i := range st.Maps {
		st.Maps[i].Mode = cmp.Or(st.Maps[i].Mode, d.get("mode"))
	}
	return st.Maps, nil
}

// Targets names the tables that the maps of a saved source fill.
func (s *Service) Targets(ctx context.Context, name string) ([]string, error) {
	r, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	maps, err := s.mapsOf(ctx, &saved{record: r, name: name, staging: r.Get("import_set_table_name").Text})
	var out []string
	for _, m := range maps {
		out = append(out, m.TargetTable)
	}
	return out, err
}

// importing brings one source in, whole. known is told the number of the run before its first row is written.
func (j *job) importing(ctx context.Context, src importset.Source, known func(run int64) error) (*importset.Run, error) {
	src.Supersede = true
	var unkept error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run, err := j.Imports.Import(ctx, importset.Request{Source: src, Maps: j.maps, Absent: j.absentTerms(), Restart: j.req.Restart, Actor: importset.Importer(j.req.Actor),
		Progress: j.req.Progress, Notes: j.req.Notes, Began: func(r *importset.Run) {
			if known != nil {
				if unkept = known(r.Number); unkept != nil {
					cancel() // without its number the run could not be told from one that never began
				}
			}
			if j.req.Began != nil {
				j.req.Began(r)
			}
		}})
	if run != nil {
		j.result.Runs = append(j.result.Runs, run)
	}
	if unkept != nil {
		err = unkept
	}
	if err != nil {
		return run, err
	}
	return run, j.settleContract(ctx, run)
}

// done says what the runs came to.
func (j *job) done() {
	var parts []string
	for _, r := range j.result.Runs {
		parts = append(parts, fmt.Sprintf("run %d: %s", r.Number, r.Ledger))
	}
	if len(parts) > 0 {
		j.result.State, j.result.Message = StateDone, strings.Join(parts, "; ")
	}
}
