//# 5.10 write and getContent
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), id = a.write(gr, 'note.txt', 'text/plain', 'héllo'); var f = new GlideRecord('sys_attachment'); f.get(id); [id.length, a.getContent(f), f.getValue('size_bytes'), gr.hasAttachments()].join()
//= 32,héllo,6,true

//# 5.10 writeBase64 and getContentBase64
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), f = new GlideRecord('sys_attachment'); f.get(a.writeBase64(gr, 'b.bin', 'application/octet-stream', 'AAEC')); [a.getContentBase64(f), a.writeBase64(gr, 'c', 't', '%%%')].join()
//= AAEC,

//# 5.10 streams go from file to file
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), id = a.write(gr, 'a.txt', 'text/plain', 'body'); var f = new GlideRecord('sys_attachment'); f.get(a.writeContentStream(gr, 'b.txt', 'text/plain', a.getContentStream(id))); a.getContent(f)
//= body

//# 5.10 getAttachments lists
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(); a.write(gr, 'one', 'text/plain', '1'); a.write(gr, 'two', 'text/plain', '2'); var l = a.getAttachments('incident', gr.getUniqueValue()), n = []; while (l.next()) n.push(l.getValue('file_name')); n.sort().join()
//= one,two

//# 5.10 copy gives pairs of ids
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), id = a.write(gr, 'one', 'text/plain', '1'); var to = idOf('incident', 'short_description', 'Mouse is lost'); var pairs = a.copy('incident', gr.getUniqueValue(), 'incident', to); [pairs.size(), pairs.get(0).split(',')[0] === id, a.getAttachments('incident', to).next()].join()
//= 1,true,true

//# 5.10 copy is also a function of the class
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); new GlideSysAttachment().write(gr, 'one', 'text/plain', '1'); GlideSysAttachment.copy('incident', gr.sys_id, 'incident', idOf('incident', 'short_description', 'Mouse is lost')).length
//= 1

//# 5.10 deleteAttachment
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), id = a.write(gr, 'one', 'text/plain', '1'); a.deleteAttachment(id); [new GlideRecord('sys_attachment').get(id), a.getContentStream(id)].join()
//= false,

//# 5.12 GlideEncrypter is turned off
new GlideEncrypter().encrypt('x')
//! turned off
//~ there it is Triple DES; secrets belong into fields of type password2

//# 5.10 GlideTextReader reads a file line by line
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), id = a.write(gr, 'a.csv', 'text/csv', 'one\r\ntwo\n\nlast'); var r = new GlideTextReader(a.getContentStream(id)), lines = [], line; while ((line = r.readLine()) !== null) lines.push(line); lines.join('|')
//= one|two||last

//# 5.10 bytes of base64 become a file
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); var a = new GlideSysAttachment(), f = new GlideRecord('sys_attachment'); f.get(a.write(gr, 'b.bin', 'application/octet-stream', GlideStringUtil.base64DecodeAsBytes('AP8B'))); a.getContentBase64(f)
//= AP8B

//# 5.10 a file that a rule refuses is not written and gives null
rule({collection: 'sys_attachment', when: 'before', action_insert: true, condition: "current.file_name == 'refused.txt'", script: "current.setAbortAction(true);"});
//-
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); [new GlideSysAttachment().write(gr, 'refused.txt', 'text/plain', 'x'), gr.hasAttachments()].join()
//= ,false
