// Classes as scripts have written them since before the language had any.
(function (host) {
  'use strict';

  // members lists the names that an object has of its own or inherits, constructors and Object's own left out. Methods of
  // native classes cannot be enumerated, so enumerating is not enough.
  function members(from) {
    var names = [];
    for (var at = from; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      Object.getOwnPropertyNames(at).forEach(function (name) {
        if (name !== 'constructor' && names.indexOf(name) < 0) names.push(name);
      });
    }
    return names;
  }

  function extend(to, from) {
    for (var name in from) to[name] = from[name];
    return to;
  }

  var Class = {
    create: function () {
      return function () {
        if (typeof this.initialize === 'function') this.initialize.apply(this, arguments);
      };
    },
  };

  // extendsObject copies the base's members, so that a subclass is no instance of its base: scripts were written so.
  function extendsObject(base, more) {
    var from = typeof base === 'function' ? base.prototype : base;
    var made = {};
    members(from).forEach(function (name) { made[name] = from[name]; });
    return extend(made, more);
  }

  function clone(from) { return extend({}, from); }

  function AbstractAjaxProcessor() { this.initialize.apply(this, arguments); }
  AbstractAjaxProcessor.prototype = {
    CALLABLE_PREFIX: 'ajaxFunction_',
    initialize: function (request, xml, params) {
      this.request = request;
      this.responseXML = xml;
      this.params = params || {};
    },
    getParameter: function (name) {
      var asked = this.request && this.request.getParameter && this.request.getParameter(name);
      return asked === undefined || asked === null ? (name in this.params ? this.params[name] : null) : asked;
    },
    getName: function () { return this.getParameter('sysparm_name'); },
    getValue: function () { return this.getParameter('sysparm_value'); },
    getType: function () { return this.getParameter('sysparm_type'); },
    getChars: function () { return this.getParameter('sysparm_chars'); },
    process: function () {
      var name = this.getName();
      if (name && typeof this[name] === 'function') return this[name]();
      return undefined;
    },
    setAnswer: function (answer) { this.answer = answer; },
    getAnswer: function () { return this.answer; },
    setError: function (message) { this.error = message; },
    getError: function () { return this.error; },
    type: 'AbstractAjaxProcessor',
  };

  // listMembers are what scripts call on lists of Java; arrays that come from the host have them beside their own.
  var listMembers = {
    size: function () { return this.length; },
    isEmpty: function () { return this.length === 0; },
    get: function (i) { return i < 0 || i >= this.length ? null : this[i]; },
    contains: function (x) { return this.some(function (y) { return y === x || host.text(y) === host.text(x); }); },
    add: function (x) { return this.push(x) > 0; },
    remove: function (i) { return this.splice(i, 1)[0]; },
    getLength: function () { return this.length; },
    item: function (i) { return this.get(i); },
    toArray: function () { return this.slice(); },
    iterator: function () {
      var at = 0, list = this;
      return { hasNext: function () { return at < list.length; }, next: function () { return list[at++]; } };
    },
  };

  function list(array) {
    var out = Array.from(array);
    Object.keys(listMembers).forEach(function (name) {
      Object.defineProperty(out, name, { value: listMembers[name], configurable: true, writable: true });
    });
    Object.defineProperty(out, 'toString', { value: function () { return '[' + this.join(', ') + ']'; }, configurable: true, writable: true });
    return out;
  }

  return { list: list, Class: Class, AbstractAjaxProcessor: AbstractAjaxProcessor, extend: extend, extendsObject: extendsObject, clone: clone };
})
