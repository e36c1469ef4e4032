package glide

import (
	"maps"
	"slices"
)

// Globals lists the names that scripts find, but for gs.
func Globals() []string { return slices.Sorted(maps.Keys(globals())) }

// Members lists the methods of gs and of the native classes.
func Members() map[string][]string {
	all := map[string][]string{"GlideSystem": slices.Sorted(maps.Keys(systemCalls))}
	put(all, dateTimeClass)
	put(all, dateClass)
	put(all, timeClass)
	put(all, durationClass)
	put(all, stringUtilClass)
	put(all, xmlUtilClass)
	put(all, documentClass)
	put(all, legacyDocumentClass)
	put(all, nodeClass)
	put(all, userClass)
	put(all, sessionClass)
	put(all, attachmentClass)
	put(all, encrypterClass)
	put(all, readerClass)
	return all
}

func put[T any](all map[string][]string, c *class[T]) {
	all[c.name] = append(slices.Collect(maps.Keys(c.methods)), slices.Collect(maps.Keys(c.static))...)
}
