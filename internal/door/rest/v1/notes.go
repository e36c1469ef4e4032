package v1

import (
	"slices"
	"sync"
)

// notes gathers what was decided and nobody asked for, while a run may still add to it.
type notes struct {
	mu   sync.Mutex
	list []string
}

func newNotes(first []string) *notes { return &notes{list: slices.Clone(first)} }

func (n *notes) add(note string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, note)
}

func (n *notes) all() []string {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}
