package pgtest

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// DropSchema removes a schema that a test has made, and all that is in it.
func (s *Server) DropSchema(ctx context.Context, name string) error {
	c, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE")
	return errors.Join(err, c.Close(ctx))
}
