var [[.Class]] = Class.create();
[[.Class]].prototype = {
	initialize: function () {},
[[if .Push]]
	// What the partner is told of a record.
	payload: function (record) {
		return {
			reference: record.getValue('number'),
			title: record.getValue('short_description'),
			priority: parseInt(record.getValue('priority'), 10)
		};
	},

	// A delivery: sent when the transaction has committed, again while the partner fails, and always with the same key.
	send: function (record) {
		var call = new sn_ws.RESTMessageV2('[[.Label]]', 'create');
		call.setRequestBody(JSON.stringify(this.payload(record)));
		call.executeAsync();
	},
[[else]]
	// A delivery: sent when the transaction has committed, and again while the partner fails.
	ask: function (number) {
		var call = new sn_ws.RESTMessageV2('[[.Label]]', 'read');
		call.setStringParameter('number', number.trim());
		call.executeAsync();
	},
[[end]]
	type: '[[.Class]]'
};
