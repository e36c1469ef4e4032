package importset

import "hash/maphash"

// seen remembers which row of a run had a key first, in 8 bytes a key: it holds 32 bits of the key's hash beside the row
// number, so an answer is only a hint and must be checked against the row itself. Its table is cut into shards that grow
// one by one, so that growing never doubles the memory.
type seen struct {
	seed   maphash.Seed
	shards [seenShards]shard
}

const seenShards = 256

type shard struct {
	slots []uint64 // hash<<32 | row+1; 0 is free
	used  int
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed()} }

// claim calls check with each earlier row that may have had the key, until check says that one has. When none has, the
// key is remembered as row's. It reports whether one had.
func (s *seen) claim(key string, row int64, check func(row int64) bool) bool {
	h := maphash.String(s.seed, key)
	sh := &s.shards[h>>56]
	if 8*(sh.used+1) > 7*len(sh.slots) {
		sh.grow()
	}
	tag := h << 32
	at := home(tag, len(sh.slots))
	for ; sh.slots[at] != 0; at = after(at, len(sh.slots)) {
		if slot := sh.slots[at]; slot&^0xffffffff == tag && check(int64(slot&0xffffffff)-1) {
			return true
		}
	}
	sh.slots[at] = tag | uint64(row+1)
	sh.used++
	return false
}

// home is where the search for a tag begins: derived from the tag alone, so that growing needs no key.
func home(tag uint64, slots int) int { return int(tag >> 32 * uint64(slots) >> 32) }

func after(at, slots int) int {
	if at++; at < slots {
		return at
	}
	return 0
}

func (s *shard) grow() {
	old := s.slots
	s.slots = make([]uint64, max(64, len(old)+len(old)/4))
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		at := home(slot&^0xffffffff, len(s.slots))
		for s.slots[at] != 0 {
			at = after(at, len(s.slots))
		}
		s.slots[at] = slot
	}
}
