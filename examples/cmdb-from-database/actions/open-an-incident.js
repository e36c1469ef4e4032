var incident = new GlideRecord('incident');
incident.initialize();
incident.short_description = 'Data source ' + event.parm1 + ': ' + event.parm2;
incident.description = current.getValue('message');
incident.correlation_id = current.getUniqueValue();
incident.insert();
