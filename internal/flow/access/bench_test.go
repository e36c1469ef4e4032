package access_test

import (
	"context"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/store/storetest/stores"
)

// BenchmarkWhatRulesCost lists 50 records of a task, trusted, as admin and by rules of itil.
func BenchmarkWhatRulesCost(b *testing.B) {
	who := access.New(nil)
	db, err := record.Open(b.Context(), stores.Open(b, stores.SQLite(b)), record.Config{Tables: append(access.Tables(), tables()...), Hooks: []record.Hook{who}, Guard: who})
	if err != nil {
		b.Fatal(err)
	}
	who.Use(db)
	if err := access.Seed(b.Context(), db); err != nil {
		b.Fatal(err)
	}
	sessions := map[string]record.Session{"trusted": db.As(record.System)}
	for _, role := range []string{"admin", "itil"} {
		if _, err := who.CreateUser(b.Context(), access.NewUser{UserName: role, Password: role, Roles: []string{role}}); err != nil {
			b.Fatal(err)
		}
		identity, err := who.IdentityOf(b.Context(), role)
		if err != nil {
			b.Fatal(err)
		}
		sessions[role] = db.As(identity.Actor)
	}
	t := db.Catalog().Table("incident")
	for range 50 {
		if _, err := sessions["trusted"].Insert(b.Context(), t, assign("number", "INC", "short_description", "x")); err != nil {
			b.Fatal(err)
		}
	}
	for name, s := range sessions {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rows, err := read(context.Background(), s, &record.Query{Table: t, Fields: t.Names(), Limit: 50})
				if err != nil || len(rows) != 50 {
					b.Fatal(len(rows), err)
				}
			}
		})
	}
	b.Run("basic", func(b *testing.B) {
		for b.Loop() {
			if _, err := who.Basic(context.Background(), "itil", "itil"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
