// Package access knows who may do what: users, roles, access rules, tokens.
package access

import (
	"time"

	"headrace/internal/core/record"
)

// Service answers who somebody is and what he may do.
type Service struct{}

// Identity is somebody known.
type Identity struct {
	Actor                         record.Actor
	UserID, UserName, DisplayName string
	Zone                          *time.Location // where his days begin; nil is UTC
}
