package glide

import _ "embed"

// Types is the TypeScript declaration of what scripts can call, for editors.
//
//go:embed headrace.d.ts
var Types string
