package app

import (
	"os"
	"runtime/debug"
)

const (
	gcPercent   = 50
	memoryLimit = 200 << 20
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
