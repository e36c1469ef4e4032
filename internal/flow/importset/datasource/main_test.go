package datasource_test

import (
	"testing"

	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }
