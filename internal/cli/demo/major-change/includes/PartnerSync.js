var PartnerSync = Class.create();
PartnerSync.prototype = {
	initialize: function () {},

	// What the partner is told of a change.
	payload: function (change) {
		return {
			change: change.getValue('number'),
			title: change.getValue('short_description'),
			priority: parseInt(change.getValue('priority'), 10)
		};
	},

	// The ticket is asked for in a delivery: sent when the transaction has committed, and again while the partner fails.
	send: function (change) {
		var call = new sn_ws.RESTMessageV2('Partner', 'open ticket');
		call.setRequestBody(JSON.stringify(this.payload(change)));
		call.executeAsync();
	},

	type: 'PartnerSync'
};
