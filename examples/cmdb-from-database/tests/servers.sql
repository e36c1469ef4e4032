create table servers_for_cmdb (
	serial_number varchar(40) primary key, host_name varchar(80), ip_address varchar(40), os_name varchar(80), os_version varchar(40),
	cpus integer, ram_mb integer, vendor varchar(80), owner_email varchar(120), warranty_until date, life_cycle varchar(20));
insert into servers_for_cmdb values
	('SN-1001', 'web01', '10.0.1.11', 'Linux Debian', '12', 8, 32768, 'Dell Inc.', 'ann@example.com', '2031-06-30', 'in_use'),
	('SN-1002', 'web02', '10.0.1.12', 'Linux Debian', '12', 8, 32768, 'Dell Inc.', 'ann@example.com', '2031-06-30', 'in_use'),
	('SN-1003', 'db01', '10.0.2.21', 'Linux Red Hat', '9.4', 32, 262144, 'Lenovo', 'bob@example.com', null, 'in_use'),
	('SN-1004', 'db02', '10.0.2.22', 'Linux Red Hat', '9.4', 32, 262144, 'Lenovo', 'bob@example.com', null, 'in_use'),
	('SN-1005', 'file01', '10.0.3.31', 'Windows Server', '2022', 4, 16384, 'HPE', null, '2029-12-31', 'in_use'),
	('SN-1006', null, null, null, null, 4, 16384, 'HPE', null, null, 'in_stock');
