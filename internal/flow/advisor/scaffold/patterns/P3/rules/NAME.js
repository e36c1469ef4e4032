gs.eventQueue('[[.Slug]].wanted', current, current.getValue('[[template "asked" .]]'), '');
