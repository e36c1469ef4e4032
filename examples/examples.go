// Package examples carries the example projects inside the program: what people read in these folders is what the
// demonstration runs.
package examples

import "embed"

// Files are the projects, each in a folder of its name.
//
//go:embed */*
var Files embed.FS
