package app

import (
	"os"
	"runtime/debug"
)

// Measured with a CSV file of 1M rows x 12 columns on the embedded store: 270 MB resident; without the limit 325 MB, and
// no faster. What is not Go's, SQLite's caches above all, takes 130 MB of it.
const (
	gcPercent   = 50
	memoryLimit = 120 << 20
)

// BoundMemory sets how the garbage collector trades time for memory, for a process that does one import at a time.
// GOGC and GOMEMLIMIT in the environment win.
func BoundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
