package app

import (
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/file"
)

// Sources lists the kinds of sources that data comes from.
func Sources() []source.Kind {
	return []source.Kind{file.Kind()}
}
