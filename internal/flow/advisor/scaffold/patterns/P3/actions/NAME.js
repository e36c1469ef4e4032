[[if .Push -]]
if (current.isValidRecord()) {
	new [[.Class]]().send(current);
}
[[- else -]]
new [[.Class]]().ask(event.parm1 + '');
[[- end]]
