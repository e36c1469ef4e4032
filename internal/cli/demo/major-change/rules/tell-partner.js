gs.eventQueue('change.major', current, current.getValue('number'), '');
