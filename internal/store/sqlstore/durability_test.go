package sqlstore_test

import (
	"context"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// Only batches of an import, which know how to repeat themselves, may skip waiting for the disk.
func TestCommitsWaitForTheDiskUnlessResumable(t *testing.T) {
	ctx := context.Background()
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		s := stores.Open(t, cfg)
		for _, d := range []record.Durability{record.Durable, record.Resumable, record.Durable, record.Resumable, record.Resumable, record.Durable} {
			err := s.Write(ctx, d, func(tx record.Tx) error {
				var got, want string
				var err error
				if db := tx.(*sqlstore.Tx).SQL(); db != nil {
					want = map[record.Durability]string{record.Durable: "2", record.Resumable: "1"}[d]
					err = db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&got)
				} else {
					want = map[record.Durability]string{record.Durable: "on", record.Resumable: "off"}[d]
					err = tx.(*sqlstore.Tx).PGX().QueryRow(ctx, "SHOW synchronous_commit").Scan(&got)
				}
				if got != want {
					t.Errorf("durability %d: synchronous is %s, want %s", d, got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
