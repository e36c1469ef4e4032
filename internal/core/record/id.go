package record

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// NewID draws a sys_id: 32 hex digits whose order is the order of drawing, so that indexes grow at their end.
func NewID() string { return ids.next() }

// IDFrom derives a sys_id from a kind and a name, the same on every server. Configuration that files own uses it.
func IDFrom(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return hex.EncodeToString(sum[:16])
}

var ids generator

// generator draws ids of 48 bits of milliseconds, 32 bits of counter that starts at random each millisecond, 48 random
// bits that are fixed for the process. Within a process ids strictly ascend.
type generator struct {
	mu      sync.Mutex
	millis  int64
	counter uint32
	node    [6]byte
	seeded  bool
}

func (g *generator) next() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now().UnixMilli()
	switch {
	case !g.seeded:
		var seed [10]byte
		if _, err := rand.Read(seed[:]); err != nil {
			panic(err) // the system has no randomness: nothing sensible can go on
		}
		copy(g.node[:], seed[4:])
		g.counter = binary.BigEndian.Uint32(seed[:4]) >> 2
		g.seeded, g.millis = true, now
	case now > g.millis:
		g.millis = now
		g.counter &= 1<<30 - 1
	}
	g.counter++
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(g.millis)<<16)
	binary.BigEndian.PutUint32(raw[6:10], g.counter)
	copy(raw[10:], g.node[:])
	return hex.EncodeToString(raw[:])
}
