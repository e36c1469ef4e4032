package app

import "headrace/internal/connect/source"

// Sources lists the kinds of sources that data comes from.
func Sources() []source.Kind {
	return []source.Kind{}
}
