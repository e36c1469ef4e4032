package datasource

import (
	"context"

	"headrace/internal/core/fault"
)

// Run brings in a saved source: what is new of it goes through every active map of its staging table. What was cut off
// before goes on. A Result comes with an error too, when something was done before it.
func (s *Service) Run(ctx context.Context, req Request) (*Result, error) {
	return nil, fault.New(fault.Refused, "data source %s cannot be run yet", req.Name)
}
