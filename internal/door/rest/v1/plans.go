package v1

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// Plan is a plan kept on the server.
type Plan struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Made   string `json:"made"`
	MadeBy string `json:"made_by"`
	Source string `json:"source"`
	importset.Ledger
	Targets []string                  `json:"targets"`
	Maps    []importset.MapRun        `json:"maps,omitempty"`
	Groups  []*importset.Group        `json:"groups,omitempty"`
	Changes []importset.PlannedChange `json:"changes,omitempty"` // the first ones
	Created map[string]int64          `json:"created,omitempty"`
	Notes   []string                  `json:"notes,omitempty"`
	Absent  *importset.AbsentReport   `json:"absent,omitempty"`
}

// Report is the plan as the import set makes it.
func (p *Plan) Report() *importset.PlanReport {
	return &importset.PlanReport{Source: p.Source, Ledger: p.Ledger, Maps: p.Maps, Groups: p.Groups, Changes: p.Changes, Created: p.Created, Notes: p.Notes, Absent: p.Absent}
}

func planParam() record.Field { return needed(param("plan", record.String, "The id of the plan.")) }

func (a *API) planOperations() []*operation {
	one := []record.Field{planParam()}
	return []*operation{
		{id: "plan", method: "POST", path: "/plans", summary: "See what an import would do", roles: importers, upload: true, params: append(sourceParams(), mapParams()...),
			doc:     "Writes nothing. The plan is kept, with its rows, for a week: applying it does exactly what it says.",
			answers: []outcome{{status: 201, doc: "The plan; Location is where it is kept.", schema: planSchema()}}, do: a.plan},
		{id: "listPlans", method: "GET", path: "/plans", summary: "The plans that are kept, newest first", roles: importers,
			answers: []outcome{{status: 200, doc: "The plans.", schema: fields("Plans").with(must("items", listOf(planSchema())))}}, do: a.listPlans},
		{id: "getPlan", method: "GET", path: "/plans/{plan}", summary: "One plan", roles: importers, params: one,
			answers: []outcome{{status: 200, doc: "The plan.", schema: planSchema()}}, do: a.getPlan},
		{id: "deletePlan", method: "DELETE", path: "/plans/{plan}", summary: "Forget a plan", roles: importers, params: one,
			answers: []outcome{{status: 204, doc: "It is gone."}}, do: a.deletePlan},
		{id: "applyPlan", method: "POST", path: "/plans/{plan}/apply", summary: "Do exactly what a plan says", roles: importers,
			doc:    "Rows whose record changed since are refused and listed.",
			params: append(one, waitParam(), param("restart", record.Boolean, "Begin anew even when an unfinished run of this plan could be resumed.")), answers: runAnswers(), do: a.apply},
	}
}

func (a *API) plan(c *call) (*reply, error) {
	src, err := c.source()
	if err != nil {
		return nil, err
	}
	chosen, err := c.mapping(&src)
	if err != nil {
		return nil, err
	}
	id, notes := record.NewID(), newNotes(chosen.Notes)
	file := a.spool.plan(id, ".plan")
	report, err := a.Plan(c.Context(), importset.Request{Source: src, Maps: chosen.Maps, Absent: chosen.Absent, Actor: c.actor(), Notes: notes.add}, chosen.Made, file)
	if err != nil {
		return nil, err
	}
	p := Plan{ID: id, State: "planned", Made: stamp(time.Now()), MadeBy: c.who.UserName, Source: report.Source, Ledger: report.Ledger, Targets: targets(chosen.Maps),
		Groups: report.Groups, Changes: report.Changes, Created: report.Created, Notes: append(notes.all(), report.Notes...), Absent: report.Absent}
	if len(report.Maps) > 1 {
		p.Maps = report.Maps
	}
	if err := a.spool.keepPlan(&p); err != nil {
		return nil, errors.Join(err, os.Remove(file))
	}
	return &reply{status: 201, header: located("%s/plans/%s", Prefix, id), body: p}, nil
}

// keepPlan writes what is known of a plan beside it, whole or not at all.
func (s *spool) keepPlan(p *Plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the plan cannot be written")
	}
	part := s.plan(p.ID, ".part")
	if err = os.WriteFile(part, text, 0o600); err == nil {
		err = os.Rename(part, s.plan(p.ID, ".json"))
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the plan cannot be kept")
	}
	return nil
}

// readPlan finds a plan by its id.
func (s *spool) readPlan(id string) (*Plan, error) {
	if !isID(id) {
		return nil, noPlan(id)
	}
	text, err := os.ReadFile(s.plan(id, ".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noPlan(id)
	}
	p := &Plan{}
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "plan %s cannot be read", id)
	}
	return p, nil
}

func noPlan(id string) error {
	return fault.New(fault.NotFound, "there is no plan %s", record.Clip(id)).WithHint("plans are kept for a week; GET %s/plans lists them", Prefix)
}

// isID reports whether a text is an id, and so no path.
func isID(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

func (a *API) listPlans(*call) (*reply, error) {
	paths, err := filepath.Glob(a.spool.plan("*", ".json"))
	if err != nil {
		return nil, err
	}
	list := []*Plan{}
	for _, path := range paths {
		p, err := a.spool.readPlan(strings.TrimSuffix(filepath.Base(path), ".json"))
		if fault.KindOf(err) == fault.NotFound && err != nil {
			continue // deleted while we look
		}
		if err != nil {
			return nil, err
		}
		p.Groups, p.Changes = nil, nil
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Plan) int { return cmp.Compare(b.ID, a.ID) })
	return &reply{body: map[string]any{"items": list}}, nil
}

func (a *API) getPlan(c *call) (*reply, error) {
	p, err := a.spool.readPlan(c.text("plan"))
	return &reply{body: p}, err
}

func (a *API) deletePlan(c *call) (*reply, error) {
	p, err := a.spool.readPlan(c.text("plan"))
	if err != nil {
		return nil, err
	}
	err = errors.Join(os.Remove(a.spool.plan(p.ID, ".json")), os.Remove(a.spool.plan(p.ID, ".plan")))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "plan %s cannot be removed", p.ID)
	}
	return &reply{status: 204}, nil
}

func (a *API) apply(c *call) (*reply, error) {
	p, err := a.spool.readPlan(c.text("plan"))
	if err != nil {
		return nil, err
	}
	if err := c.mayFill(p.Targets...); err != nil {
		return nil, err
	}
	actor, restart := c.actor(), c.flag("restart")
	return c.start(nil, nil, func(ctx context.Context, began func(*importset.Run)) (*importset.Run, error) {
		return a.Imports.Apply(ctx, importset.ApplyRequest{Path: a.spool.plan(p.ID, ".plan"), Restart: restart, Actor: actor, Began: began})
	})
}
