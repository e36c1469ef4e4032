gs.eventQueue('quote.requested', current, current.getValue('u_symbol'), '');
