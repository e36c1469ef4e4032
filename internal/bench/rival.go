package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	floorName   = "floor"
	productName = "headrace"
)

// rival is one way to bring a file into an indexed table.
type rival interface {
	name() string
	// fresh makes an empty target, outside the measured time.
	fresh(ctx context.Context) error
	// command is the process that brings the file in: all that is measured.
	command(ctx context.Context, f *file) *exec.Cmd
	// settled is called before each measured run: what an earlier run left to write must not be billed to it.
	settled(ctx context.Context) error
	// check looks at what the measured process printed.
	check(printed []byte, f *file) error
	// content is the command that prints the target's rows, values parted by the unit separator.
	content(ctx context.Context) *exec.Cmd
	clear(ctx context.Context) error
}

// measurement is one run: wall-clock seconds and the largest resident memory of the process.
type measurement struct {
	seconds float64
	bytes   int64
	rows    int64
}

// measure runs a rival on a file and compares the target's content with what it must be.
func measure(ctx context.Context, r rival, f *file) (measurement, error) {
	if err := r.settled(ctx); err != nil {
		return measurement{}, err
	}
	cmd := r.command(ctx, f)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	m := measurement{seconds: time.Since(start).Seconds(), rows: f.rows}
	if err != nil {
		return m, fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	// In kilobytes on Linux. The figure starts from this process's own size, which is why it keeps nothing in memory.
	m.bytes = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	fmt.Fprintf(os.Stderr, "bench: %-8s %-24s %7.2f s  %5d MB\n", r.name(), f.name, m.seconds, m.bytes>>20)
	if err := r.check(stdout.Bytes(), f); err != nil {
		return m, err
	}
	return m, compare(r.content(ctx), f)
}

// compare reads a target's rows and fails when they are not those that must be there.
func compare(cmd *exec.Cmd, f *file) error {
	got, err := digestOf(cmd)
	if err == nil && got != f.after {
		err = fmt.Errorf("the target holds %v, it must hold %v", got, f.after)
	}
	return err
}

// digestOf reads the rows that a command prints.
func digestOf(cmd *exec.Cmd) (digest, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return digest{}, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return digest{}, err
	}
	got, readErr := digestLines(out)
	if readErr != nil {
		_, _ = io.Copy(io.Discard, out) // let the process end; the error that counts is at hand
	}
	if err := cmd.Wait(); err != nil {
		return got, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	return got, readErr
}

// open readies the rivals of one kind of store and what they need. The function it returns puts all of it away.
func open(ctx context.Context, s settings, store string) ([]rival, func(), error) {
	if store == "sqlite" {
		rivals := []rival{&sqliteFloor{file: s.dir + "/floor.db"}}
		if !s.floors {
			rivals = append(rivals, &product{bin: s.bin, maps: plainMap, where: []string{"--data", s.dir + "/product"}, store: &dataFolder{s.dir + "/product"}})
		}
		return rivals, func() { clearAll(rivals) }, nil
	}
	server, err := startServer(ctx, s.pgDir)
	if err != nil {
		return nil, nil, err
	}
	rivals := []rival{&postgresFloor{server.database("floor")}}
	if !s.floors {
		db := server.database("product")
		rivals = append(rivals, &product{bin: s.bin, maps: plainMap, where: []string{"--database", db.url}, store: db})
	}
	return rivals, server.stop, nil
}

func clearAll(rivals []rival) {
	for _, r := range rivals {
		if err := r.clear(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}
