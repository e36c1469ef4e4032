new Storm().note(snapshot.changes.op['new'], 'async rule');
