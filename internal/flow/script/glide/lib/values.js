// Helpers over values: JSUtil, ArrayUtil, the JSON class that is called as a constructor, j2js.
(function (host) {
  'use strict';

  var native = host.JSON;
  var text = host.text;

  function missing(x) { return x === null || x === undefined; }

  // same compares as scripts mean it: a field stands for its value.
  function same(a, b) {
    return a === b || (host.isHost(a) || host.isHost(b)) && text(a) === text(b);
  }

  function JSONClass() {}
  JSONClass.prototype = {
    encode: function (value) { return native.stringify(value); },
    decode: function (s) { return native.parse(text(s)); },
  };
  JSONClass.parse = native.parse;
  JSONClass.stringify = native.stringify;
  Object.defineProperty(JSONClass, 'name', { value: 'JSON' });
  Object.defineProperty(JSONClass, Symbol.toStringTag, { value: 'JSON' });

  function JSONParser() {}
  JSONParser.prototype = { parse: function (s) { return native.parse(text(s)); } };

  // j2js turns lists of the host into arrays and fields into texts; what is JavaScript's already stays.
  function j2js(x) {
    if (missing(x) || Array.isArray(x)) return x;
    if (typeof x === 'object' && typeof x.size === 'function' && typeof x.get === 'function') {
      var out = [];
      for (var i = 0; i < x.size(); i++) out.push(j2js(x.get(i)));
      return out;
    }
    return host.isHost(x) ? text(x) : x;
  }

  var JSUtil = {
    has: function (x) { return !missing(x); },
    doesNotHave: function (x) { return missing(x); },
    nil: function (x) { return missing(x) || text(x) === ''; },
    notNil: function (x) { return !JSUtil.nil(x); },
    instance_of: function (x, type) {
      if (missing(x)) return false;
      if (typeof type === 'function') return x instanceof type;
      return JSUtil.type_of(x) === String(type).toLowerCase() || !!x.constructor && x.constructor.name === type || x.type === type;
    },
    type_of: function (x) {
      if (x === null) return 'null';
      return Object.prototype.toString.call(x).slice(8, -1).toLowerCase();
    },
    isJavaObject: function (x) { return host.isHost(x); },
    toBoolean: function (x) {
      if (typeof x === 'boolean' || typeof x === 'number') return !!x;
      return ['true', '1', 'yes', 'on'].indexOf(text(x).toLowerCase()) >= 0;
    },
    getBooleanValue: function (gr, field) { return JSUtil.toBoolean(gr.getValue(field)); },
    escapeText: function (s) { return host.escapeXML(text(s), false); },
    unescapeText: function (s) { return host.unescapeXML(text(s)); },
    escapeAttr: function (s) { return host.escapeXML(text(s), true); },
    unescapeAttr: function (s) { return host.unescapeXML(text(s)); },
    describeObject: function (x, name) { return (name || 'object') + ': ' + describe(x, 0); },
    logObject: function (x, name) { host.log(JSUtil.describeObject(x, name)); },
  };

  function describe(x, depth) {
    if (missing(x)) return String(x);
    if (host.isHost(x) || typeof x !== 'object') return typeof x === 'string' ? '"' + x + '"' : text(x);
    if (depth > 8) return '...';
    var pad = '\n' + new Array(depth + 2).join('  ');
    return JSUtil.type_of(x) + Object.keys(x).map(function (k) { return pad + k + ' = ' + describe(x[k], depth + 1); }).join('');
  }

  function ArrayUtil() {}
  ArrayUtil.prototype = {
    initialize: function () {},
    concat: function (a, b) { return this.ensureArray(a).concat(this.ensureArray(b)); },
    contains: function (a, x) { return this.indexOf(a, x) >= 0; },
    indexOf: function (a, x, start) {
      if (missing(a)) return -1;
      var from = start === undefined ? 0 : start < 0 ? Math.max(0, a.length + start) : start;
      for (var i = from; i < a.length; i++) if (same(a[i], x)) return i;
      return -1;
    },
    // unique keeps the last of equal elements: a,b,c,c,b gives a,c,b, as the documentation shows.
    unique: function (a) {
      var seen = new Map(), out = [];
      for (var i = a.length - 1; i >= 0; i--) {
        var key = host.isHost(a[i]) ? text(a[i]) : a[i];
        if (!seen.has(key)) out.push(a[i]);
        seen.set(key, true);
      }
      return out.reverse();
    },
    union: function () {
      var all = [];
      for (var i = 0; i < arguments.length; i++) all = all.concat(this.ensureArray(arguments[i]));
      return this.unique(all);
    },
    diff: function (a) {
      var others = Array.prototype.slice.call(arguments, 1), self = this;
      return this.unique(this.ensureArray(a).filter(function (x) {
        return !others.some(function (b) { return self.contains(b, x); });
      }));
    },
    intersect: function (a) {
      var others = Array.prototype.slice.call(arguments, 1), self = this;
      return this.unique(this.ensureArray(a).filter(function (x) {
        return others.every(function (b) { return self.contains(b, x); });
      }));
    },
    ensureArray: function (x) {
      if (Array.isArray(x)) return x;
      return missing(x) ? [] : [x];
    },
    convertArray: function (list) {
      var out = j2js(list);
      return Array.isArray(out) ? out : this.ensureArray(out);
    },
    type: 'ArrayUtil',
  };

  return { JSON: JSONClass, JSONParser: JSONParser, j2js: j2js, JSUtil: JSUtil, ArrayUtil: ArrayUtil };
})
