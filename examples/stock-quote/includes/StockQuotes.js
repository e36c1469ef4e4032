var StockQuotes = Class.create();
StockQuotes.prototype = {
	initialize: function () {},

	// Symbols as the exchange writes them.
	symbol: function (text) {
		return text.trim().toUpperCase();
	},

	ask: function (symbol) {
		var call = new sn_ws.RESTMessageV2('Exchange', 'quote');
		call.setStringParameter('symbol', this.symbol(symbol));
		call.executeAsync();
	},

	type: 'StockQuotes'
};
