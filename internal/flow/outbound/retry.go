package outbound

import (
	"context"
	"strconv"
	"time"

	"headrace/internal/core/record"
)

// Policy is a delivery policy for what is delivered by other means than a message.
type Policy struct {
	policy policy
	dice   func() float64
}

// Policy reads a delivery policy by name or sys_id; "" is the one of messages that name none.
func (s *Service) Policy(ctx context.Context, name string) (r Policy, err error) {
	err = s.db.Store().Read(ctx, func(tx record.Tx) error {
		r.policy, err = loader{s, tx}.policy(ctx, name)
		return err
	})
	r.dice = s.dice
	return r, err
}

// MaxAge is how long after it was asked for something is still to be delivered.
func (r Policy) MaxAge() time.Duration { return time.Duration(r.policy.MaxAge) * time.Second }

// KeyHeader is the header of the idempotency key; "" when none is sent.
func (r Policy) KeyHeader() string { return r.policy.KeyHeader }

// AtMostOnce reports whether nothing is repeated that may have been carried out.
func (r Policy) AtMostOnce() bool { return r.policy.AtMostOnce }

// Next says how long to wait after n attempts that failed, at least as long as hint, and whether there is another at all:
// when not, why names what is used up.
func (r Policy) Next(n int, hint time.Duration, now, expires time.Time) (wait time.Duration, why string) {
	wait = max(r.policy.wait(n, r.dice()), hint)
	switch {
	case n >= r.policy.Attempts:
		return 0, "all " + strconv.Itoa(r.policy.Attempts) + " attempts are used up"
	case now.Add(wait).After(expires):
		return 0, "the next attempt would come after its time"
	}
	return max(wait, time.Millisecond), ""
}
