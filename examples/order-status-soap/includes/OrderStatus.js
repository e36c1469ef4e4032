function OrderStatus() {}

OrderStatus.prototype.ask = function (number) {
	var call = new sn_ws.SOAPMessageV2('Orders', 'GetStatus');
	call.setStringParameter('number', number);
	call.executeAsync();
};
