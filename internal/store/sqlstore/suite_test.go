package sqlstore_test

import (
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/store/storetest"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func TestStoreLaws(t *testing.T) {
	for name, config := range stores.Kinds() {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t testing.TB) record.Store { return stores.Open(t, config(t)) })
		})
	}
}
