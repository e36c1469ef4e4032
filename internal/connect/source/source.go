// Package source is where bytes come from. Each source is a folder below; a source knows nothing of formats.
package source

import (
	"context"
	"io"
	"time"

	"headrace/internal/core/record"
)

// Source gives one stream of bytes.
type Source interface {
	// Info names the source and describes its options.
	Info() Info
	// Open starts one reading from the beginning. Its errors are faults: NotFound, Denied, Invalid or Unavailable.
	Open(ctx context.Context) (io.ReadCloser, Meta, error)
}

// Info describes a kind of source.
type Info struct {
	Name    string // "file"
	Label   string // "File"
	Options []record.Field
}

// Meta is what a source knows of its bytes before they are read.
type Meta struct {
	Name     string    // for people and for the suffix: "servers.csv", "standard input"
	Size     int64     // bytes, -1 when not known
	Modified time.Time // zero when not known
	Again    bool      // Open may be called once more and reads the same bytes, unless they change meanwhile
}
