// Helpers over XML: XMLHelper, XMLUtilJS.
(function (host) {
  'use strict';

  function XMLHelper(xml) { this.xml = xml; }
  XMLHelper.prototype = {
    toObject: function (xml) { return host.xmlToObject(host.text(xml === undefined ? this.xml : xml)); },
    toXMLStr: function (object) { return host.objectToXML(object); },
    toXMLDoc: function (object) { return new XMLDocument(host.objectToXML(object)); },
    type: 'XMLHelper',
  };

  var XMLUtilJS = {
    escapeForXMLText: function (s) { return host.escapeXML(host.text(s), false); },
    unescapeForXMLText: function (s) { return host.unescapeXML(host.text(s)); },
    escapeForXMLAttribute: function (s) { return host.escapeXML(host.text(s), true); },
  };

  return { XMLHelper: XMLHelper, XMLUtilJS: XMLUtilJS };
})
