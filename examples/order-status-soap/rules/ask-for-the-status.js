gs.eventQueue('order.check', current, current.getValue('u_number'), '');
