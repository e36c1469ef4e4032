new OrderStatus().ask(event.parm1 + '');
