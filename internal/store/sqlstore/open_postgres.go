package sqlstore

import (
	"context"

	"headrace/internal/core/fault"
)

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	return nil, fault.New(fault.Unavailable, "PostgreSQL is not ready")
}
