gs.eventQueue('work.changed', current, current.getValue('op'), current.getValue('fate'));
