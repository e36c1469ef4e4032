// Package demo makes sample data: always the same bytes for the same seed, streamed, of any size, and with faults
// whose right answer is known. The demo, the tests and the benchmarks draw from it. Names, addresses and serial
// numbers are invented; e-mail addresses are of the domains kept for examples.
package demo

import "math/bits"

// dice draws numbers from a seed. It is splitmix64: fast, and good enough to look like data.
type dice struct{ state uint64 }

const golden = 0x9e3779b97f4a7c15

// mix is the finisher of splitmix64. It is a bijection, so that distinct numbers stay distinct.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// roll draws a number from 0 up to but not including n.
func (d *dice) roll(n int) int {
	d.state += golden
	hi, _ := bits.Mul64(mix(d.state), uint64(n))
	return int(hi)
}

// pick draws one of the words.
func (d *dice) pick(words []string) string { return words[d.roll(len(words))] }

// shuffle is a permutation of 0..n-1 that needs no memory: a Feistel network over the next power of four, walked on
// until it lands inside.
type shuffle struct {
	n, seed uint64
	half    uint // bits of one half
}

func newShuffle(n, seed uint64) shuffle {
	half := uint(1)
	for half < 31 && uint64(1)<<(2*half) < n {
		half++
	}
	return shuffle{n: n, seed: mix(seed + golden), half: half}
}

func (s shuffle) at(i uint64) uint64 {
	for {
		i = s.step(i)
		if i < s.n {
			return i
		}
	}
}

func (s shuffle) step(i uint64) uint64 {
	mask := uint64(1)<<s.half - 1
	left, right := i>>s.half, i&mask
	for round := range uint64(4) {
		left, right = right, left^(mix(right+s.seed+round*golden)&mask)
	}
	return left<<s.half | right
}
