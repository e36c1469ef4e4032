var Storm = Class.create();
Storm.prototype = {
	initialize: function () {},

	calm: function () {
		var calm = new GlideRecord('u_calm');
		calm.query();
		return calm.next();
	},

	// Handlers run at least once: what is noted already is not noted again.
	note: function (op, source) {
		var note = new GlideRecord('u_note');
		note.addQuery('op', op);
		note.addQuery('source', source);
		note.query();
		if (note.next()) {
			return;
		}
		note.initialize();
		note.op = op;
		note.source = source;
		note.insert();
	},

	// Some sends fail until the storm is over, some now and then, before or after they have asked for the call.
	send: function (op, fate, name) {
		var calm = this.calm();
		if (!calm && fate == 'throw') {
			throw new Error('nothing is sent in a storm');
		}
		if (!calm && fate == 'stumble' && Math.random() < 0.5) {
			throw new Error('stumbled before the call');
		}
		var call = new sn_ws.RESTMessageV2('Storm partner', 'tell');
		call.setRequestBody(JSON.stringify({ op: op, fate: fate, name: name }));
		call.executeAsync();
		if (!calm && fate == 'stumble' && Math.random() < 0.5) {
			throw new Error('stumbled after the call');
		}
	},

	type: 'Storm'
};
