if (current.isValidRecord()) {
	new PartnerSync().send(current);
}
