// Command gen writes sample data to standard output or a file.
//
//	go run ./internal/demo/gen [-rows N] [-seed N] [-bytes N] [-o FILE] assets|assets-shuffled|delta|delta-shuffled|monday|tuesday|objects
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"headrace/internal/demo"
)

func main() {
	rows := flag.Int64("rows", 1_000_000, "rows of an asset file or its delta")
	seed := flag.Uint64("seed", 1, "the same seed gives the same bytes")
	size := flag.Int64("bytes", 2_000_000_000, "size of the array of objects")
	file := flag.String("o", "", "file to write instead of standard output")
	flag.Parse()

	write, err := kind(flag.Arg(0), *rows, *size, *seed)
	if err == nil {
		err = to(*file, write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// kind gives the writer of the named kind of data.
func kind(name string, rows, size int64, seed uint64) (func(io.Writer) error, error) {
	stream := func(data io.WriterTo) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := data.WriteTo(w)
			return err
		}
	}
	switch name {
	case "assets":
		return stream(demo.Assets{Rows: rows, Seed: seed}), nil
	case "assets-shuffled":
		return stream(demo.Assets{Rows: rows, Seed: seed, Shuffled: true}), nil
	case "delta":
		return stream(demo.Assets{Rows: rows, Seed: seed, Delta: true}), nil
	case "delta-shuffled":
		return stream(demo.Assets{Rows: rows, Seed: seed, Delta: true, Shuffled: true}), nil
	case "monday":
		return demo.WriteMonday, nil
	case "tuesday":
		return demo.WriteTuesday, nil
	case "objects":
		return stream(demo.Objects{Bytes: size, Seed: seed}), nil
	}
	return nil, fmt.Errorf("unknown kind %q: assets, assets-shuffled, delta, delta-shuffled, monday, tuesday or objects", name)
}

func to(name string, write func(io.Writer) error) error {
	if name == "" {
		return write(os.Stdout)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return file.Close()
}
