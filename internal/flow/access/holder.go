package access

import "context"

// Holder gives the rights of a user by id, whether he may log in or not: for what runs on his behalf. Somebody who is no
// user has none.
func (s *Service) Holder(ctx context.Context, id string) (*Identity, error) {
	m, err := s.memberOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return &m.Identity, nil
}
