package record

import "context"

// Permit is what the session's actor may do with records of t, for doors that offer what is no record by the name of a
// table's rules. Trusted sessions, and all where there is no Guard, may do everything.
func (s Session) Permit(ctx context.Context, t *Table, a Access) (Permit, error) {
	if !s.guarded() {
		return Permit{}, nil
	}
	return s.db.guard.Records(ctx, s.actor, t, a)
}
