package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"headrace/internal/demo"
)

// digest is the content of a table, whatever the order of its rows: their number and the sum of their hashes.
type digest struct {
	rows int64
	sum  uint64
}

func (d digest) String() string { return fmt.Sprintf("%d rows (sum %016x)", d.rows, d.sum) }

func (d *digest) add(hash uint64) {
	d.rows++
	d.sum += hash
}

// FNV-1a, 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashBytes(h uint64, p []byte) uint64 {
	for _, b := range p {
		h = (h ^ uint64(b)) * fnvPrime
	}
	return h
}

// hashRow hashes values as if parted by the separator.
func hashRow(values []string) uint64 {
	h := uint64(fnvOffset)
	for i, v := range values {
		if i > 0 {
			h = (h ^ uint64(separator[0])) * fnvPrime
		}
		for j := range len(v) {
			h = (h ^ uint64(v[j])) * fnvPrime
		}
	}
	return h
}

// digestLines reads rows, one a line.
func digestLines(r io.Reader) (digest, error) {
	var d digest
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		d.add(hashBytes(fnvOffset, lines.Bytes()))
	}
	return d, lines.Err()
}

// ledger is the part of a run's result that the files decide.
type ledger struct {
	Read, Inserted, Updated, Unchanged, Skipped, Rejected int64
}

// file is a CSV file and what must be so once it has been brought in.
type file struct {
	name, path  string
	rows, bytes int64
	ledger      ledger
	after       digest // the target's content
}

// files are what a benchmark needs; large is only there when scale is measured. night is load with one row in a hundred
// changed.
type files struct{ load, delta, night, large file }

func makeFiles(s settings) (files, error) {
	var fs files
	var err error
	base := demo.Assets{Rows: s.rows, Seed: 1}
	if fs.load, err = makeFile(s.dir, base); err != nil {
		return fs, err
	}
	base.Delta = true
	if fs.delta, err = makeFile(s.dir, base); err != nil {
		return fs, err
	}
	if err = expect(&fs.load, &fs.delta); err != nil {
		return fs, err
	}
	if fs.night, err = makeNight(&fs.load); err != nil {
		return fs, err
	}
	fs.load.after = digest{} // counted once more
	if err = expect(&fs.load, &fs.night); err != nil {
		return fs, err
	}
	if s.scale && !s.floors {
		if fs.large, err = makeFile(s.dir, demo.Assets{Rows: 10 * s.rows, Seed: 1, Shuffled: true}); err != nil {
			return fs, err
		}
		err = expect(&fs.large, nil)
	}
	return fs, err
}

// makeFile writes a file unless an earlier benchmark has left it.
func makeFile(dir string, data demo.Assets) (file, error) {
	name := fmt.Sprintf("assets-%d", data.Rows)
	if data.Shuffled {
		name += "-shuffled"
	}
	if data.Delta {
		name += "-delta"
	}
	f := file{name: name, path: filepath.Join(dir, name+".csv"), rows: data.Rows}
	if info, err := os.Stat(f.path); err == nil {
		f.bytes = info.Size()
		return f, nil
	}
	fmt.Fprintf(os.Stderr, "bench: writing %s\n", f.path)
	half, err := os.Create(f.path + ".part")
	if err != nil {
		return f, err
	}
	if f.bytes, err = data.WriteTo(half); err == nil {
		err = half.Close()
	}
	if err != nil {
		return f, err
	}
	return f, os.Rename(half.Name(), f.path)
}

// everyNth row of a night differs from the load.
const everyNth = 100

// makeNight writes a night's file unless an earlier benchmark has left it.
func makeNight(load *file) (file, error) {
	f := file{name: load.name + "-night", path: strings.TrimSuffix(load.path, ".csv") + "-night.csv", rows: load.rows}
	if info, err := os.Stat(f.path); err == nil {
		f.bytes = info.Size()
		return f, nil
	}
	rows, done, err := reader(load.path)
	if err != nil {
		return f, err
	}
	defer done()
	half, err := os.Create(f.path + ".part")
	if err != nil {
		return f, err
	}
	out := csv.NewWriter(bufio.NewWriterSize(half, 256<<10))
	err = out.Write(demo.AssetColumns)
	for n := 1; err == nil; n++ {
		var row []string
		if row, err = rows.Read(); err == nil {
			if n%everyNth == 0 {
				row[len(row)-1] += "."
			}
			err = out.Write(row)
		}
	}
	if !errors.Is(err, io.EOF) {
		return f, err
	}
	out.Flush()
	if err := errors.Join(out.Error(), half.Close()); err != nil {
		return f, err
	}
	return f, os.Rename(half.Name(), f.path)
}

// expect works out, from the files alone, the ledger of each and the content of the target after each. The rows of a
// delta stand in the order of the file before it: a row either has the key of its counterpart or is new and leaves
// the counterpart alone.
func expect(load, delta *file) error {
	before, closeBefore, err := reader(load.path)
	if err != nil {
		return err
	}
	defer closeBefore()
	var after *csv.Reader
	if delta != nil {
		var closeAfter func() error
		if after, closeAfter, err = reader(delta.path); err != nil {
			return err
		}
		defer closeAfter()
		delta.ledger.Read = delta.rows
	}
	for {
		old, err := before.Read()
		if errors.Is(err, io.EOF) {
			load.ledger = ledger{Read: load.rows, Inserted: load.after.rows}
			return nil
		}
		if err != nil {
			return err
		}
		hash := hashRow(old)
		load.after.add(hash)
		if after == nil {
			continue
		}
		now, err := after.Read()
		if err != nil {
			return fmt.Errorf("%s: %w", delta.path, err)
		}
		delta.follow(old[0], hash, now[0], hashRow(now))
	}
}

// follow counts one row of a delta beside its counterpart.
func (f *file) follow(oldKey string, oldHash uint64, key string, hash uint64) {
	switch {
	case key != oldKey:
		f.ledger.Inserted++
		f.after.add(oldHash)
	case hash != oldHash:
		f.ledger.Updated++
	default:
		f.ledger.Unchanged++
	}
	f.after.add(hash)
}

func reader(path string) (*csv.Reader, func() error, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	r := csv.NewReader(bufio.NewReaderSize(in, 256<<10))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil { // the header
		return nil, nil, errors.Join(err, in.Close())
	}
	return r, in.Close, nil
}
