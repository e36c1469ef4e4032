// The record is loaded when the event is handled: what the note says is what is true by then.
current.close_notes = 'Closed by ' + event.parm2;
current.update();
