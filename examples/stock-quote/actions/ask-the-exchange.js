new StockQuotes().ask(event.parm1 + '');
