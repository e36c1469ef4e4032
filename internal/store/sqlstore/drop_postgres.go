package sqlstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"headrace/internal/core/fault"
)

// DropSchema removes the schema of a store on PostgreSQL, and all that is in it. No store may be open on it.
func DropSchema(ctx context.Context, cfg Config) error {
	c, err := pgx.Connect(ctx, cfg.URL)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the database cannot be reached")
	}
	_, err = c.Exec(ctx, "DROP SCHEMA IF EXISTS "+ident(cfg.Schema)+" CASCADE")
	if err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the schema %s cannot be removed", cfg.Schema)
	}
	return errors.Join(err, c.Close(ctx))
}
