-- The partner's table, as tests play it.
create table [[.Slug]] (number varchar(40) primary key, name varchar(100), status varchar(20), amount decimal(10, 2), changed timestamp not null);
insert into [[.Slug]] values ('A-1', 'Core switch', 'active', 1200.50, '2030-01-14 10:00:00');
insert into [[.Slug]] values ('A-2', 'Old router', 'retired', 80, '2030-01-10 08:30:00');
insert into [[.Slug]] values ('A-3', 'Firewall', 'active', 3000, '2030-01-14 17:45:00');
