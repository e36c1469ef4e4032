[[if .Triggered -]]
// The work is done by itself; this only begins it. While it is under way this fails and is tried again later, so that what
// happened meanwhile is not forgotten.
var job = new GlideRecord('[[template "job" .]]');
if (job.get('name', '[[.Name]]')) {
	gs.executeNow(job);
}
[[- end]]
