// Helpers over records: GlideRecordUtil, TableUtils.
(function (host) {
  'use strict';

  var text = host.text;

  function each(gr, visit) {
    host.table(gr.getTableName()).fields.forEach(visit);
  }

  function skipped(name, ignore) {
    if (Array.isArray(ignore)) return ignore.indexOf(name) >= 0;
    return !!ignore && name.indexOf('sys_') === 0;
  }

  function GlideRecordUtil() {}
  GlideRecordUtil.prototype = {
    getGR: function (table, id) {
      var gr = new GlideRecord(text(table));
      return gr.get(text(id)) ? gr : null;
    },
    getCIGR: function (id) {
      var ci = this.getGR('cmdb_ci', id);
      return ci && this.getGR(ci.getRecordClassName(), id);
    },
    getGlideRecordByAttribute: function (table, field, value) {
      var gr = new GlideRecord(text(table));
      return gr.get(text(field), text(value)) ? gr : null;
    },
    getFields: function (gr) { return host.table(gr.getTableName()).fields.slice(); },
    getTables: function (table) { return host.table(text(table)).ancestors.slice(); },
    toHashMap: function (gr, ignore) { return this.populateHashMap(gr, {}, ignore); },
    populateHashMap: function (gr, map, ignore) {
      each(gr, function (name) {
        if (!skipped(name, ignore)) map[name] = text(gr.getValue(name));
      });
      return map;
    },
    populateFromGR: function (map, gr, ignore) { this.populateHashMap(gr, map, ignore); },
    mergeToGR: function (map, gr, ignore) {
      each(gr, function (name) {
        if (name in map && !skipped(name, ignore)) gr.setValue(name, text(map[name]));
      });
    },
    isFieldInGR: function (gr, field) { return gr.isValidField(text(field)); },
    type: 'GlideRecordUtil',
  };

  function TableUtils(table) { this.tableName = text(table); }
  TableUtils.prototype = {
    _about: function () { return host.table(this.tableName); },
    tableExists: function (name) { return host.table(name === undefined ? this.tableName : text(name)).exists; },
    getTables: function () { return host.list(this._about().ancestors); },
    getHierarchy: function () { return host.list(this._about().hierarchy); },
    getTableExtensions: function () { return host.list(this._about().children); },
    getAllExtensions: function () { return host.list(this._about().classes); },
    getAbsoluteBase: function () { return this._about().base; },
    hasExtensions: function () { return this._about().children.length > 0; },
    isBaseClass: function () { return this.hasExtensions() && this._about().base === this.tableName; },
    isSoloClass: function () { return !this.hasExtensions() && this._about().base === this.tableName; },
    type: 'TableUtils',
  };

  function attachmentsOf(table, id) {
    var gr = new GlideRecord('sys_attachment');
    gr.addQuery('table_name', table);
    gr.addQuery('table_sys_id', id);
    gr.addQuery('state', 'available');
    gr.orderBy('sys_created_on');
    gr.query();
    return gr;
  }

  return { attachmentsOf: attachmentsOf, GlideRecordUtil: GlideRecordUtil, TableUtils: TableUtils };
})
