gs.eventQueue('task.closed', current, current.getValue('number'), gs.getUserName());
