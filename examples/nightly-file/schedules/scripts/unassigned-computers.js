var computers = new GlideAggregate('cmdb_ci_computer');
computers.addQuery('assigned_to', '');
computers.addAggregate('COUNT');
computers.query();
computers.next();
gs.info('computers without a user: ' + computers.getAggregate('COUNT'));
