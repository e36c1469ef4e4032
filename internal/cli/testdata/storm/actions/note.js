new Storm().note(event.getValue('parm1'), 'announced');
