package access

import (
	"context"
	"strconv"
	"sync"
	"time"

	"headrace/internal/core/record"
)

// Rate is where a caller stands with the rule that limits him.
type Rate struct {
	Limit     int // requests an hour
	Remaining int
	Reset     time.Time // when counting begins anew
	Rule      string    // sys_id
	Exceeded  bool
}

type rateRule struct {
	id, api, user, role string
	limit               int
}

// rateCounts counts in the memory of this process, in hours of the clock: after a start it counts from nothing, and
// each of several nodes counts what it is asked itself.
type rateCounts struct {
	mu   sync.Mutex
	hour time.Time
	seen map[string]int // rule and user -> requests
}

// Allow counts one request to an API and says whether it is within the limit. Of the rules that concern it the most
// particular counts: one for the user, else one for a role of his (the lowest of several), else one for everybody;
// a rule that names the API goes before one for all APIs. Requests are counted per user. Without a rule the Rate is nil.
func (s *Service) Allow(ctx context.Context, who *Identity, api string) (*Rate, error) {
	rules, err := s.limits.get(ctx, "", s.loadLimits)
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	rule := strictest(rules, who, api)
	if rule == nil {
		return nil, nil
	}
	return s.counts.count(rule, who.UserID, s.db.Now()), nil
}

func (s *Service) loadLimits(ctx context.Context) ([]rateRule, error) {
	var rules []rateRule
	roles := map[string]string{}
	if err := s.each(ctx, RoleTable, []string{record.SysID, "name"}, nil, func(row []record.Value) { roles[row[0].Text] = row[1].Text }); err != nil {
		return nil, err
	}
	fields := []string{record.SysID, "api", "user", "role", "rate_limit"}
	err := s.each(ctx, RateTable, fields, equal("active", "true"), func(row []record.Value) {
		limit, err := strconv.Atoi(row[4].Text)
		if err == nil && (row[3].Empty() || roles[row[3].Text] != "") {
			rules = append(rules, rateRule{id: row[0].Text, api: row[1].Text, user: row[2].Text, role: roles[row[3].Text], limit: limit})
		}
	})
	return rules, err
}

// strictest finds the rule that counts; nil when none concerns the request.
func strictest(rules []rateRule, who *Identity, api string) *rateRule {
	var best *rateRule
	at := 0
	for i := range rules {
		r := &rules[i]
		rank := r.rank(who, api)
		if rank > at || rank == at && rank > 0 && r.limit < best.limit {
			best, at = r, rank
		}
	}
	return best
}

// rank is how particular the rule is to the request; 0 when it does not concern it.
func (r *rateRule) rank(who *Identity, api string) int {
	rank := 2
	switch {
	case r.user != "" && r.user != who.UserID, r.user == "" && r.role != "" && !who.roles[r.role]:
		return 0
	case r.user != "":
		rank = 6
	case r.role != "":
		rank = 4
	}
	switch r.api {
	case "", wildcard:
		return rank
	case api:
		return rank + 1
	}
	return 0
}

func (c *rateCounts) count(r *rateRule, user string, now time.Time) *Rate {
	c.mu.Lock()
	defer c.mu.Unlock()
	hour := now.Truncate(time.Hour)
	if c.seen == nil || !hour.Equal(c.hour) {
		c.hour, c.seen = hour, map[string]int{}
	}
	key := r.id + user
	c.seen[key]++
	n := c.seen[key]
	return &Rate{Limit: r.limit, Remaining: max(0, r.limit-n), Reset: hour.Add(time.Hour), Rule: r.id, Exceeded: n > r.limit}
}
