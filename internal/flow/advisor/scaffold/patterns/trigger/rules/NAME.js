[[if .Triggered -]]
gs.eventQueue('[[.Slug]].wanted', current, current.getValue('number'), '');
[[- end]]
