// Command headrace brings data into and out of a system of record.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"headrace/internal/cli"
)

func main() { os.Exit(run()) }

// run ends the work in hand at the first signal; a second one kills the process.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
