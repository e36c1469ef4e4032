update servers_for_cmdb set ram_mb = 65536 where serial_number = 'SN-1001';
insert into servers_for_cmdb (serial_number, host_name, vendor, life_cycle) values ('SN-1007', 'web03', 'Dell Inc.', 'in_use');
delete from servers_for_cmdb where serial_number = 'SN-1005';
