gs.eventQueue('work.announced', current, current.getValue('op'), current.getValue('fate'));
