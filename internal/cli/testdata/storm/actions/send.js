new Storm().send(event.getValue('parm1'), event.getValue('parm2'), current.getValue('name'));
