// Helpers of imports: sn_impex.CSVParser.
(function (host) {
  'use strict';

  // split takes a line of CSV apart. A quote within quotes is written twice; the end of the line ends an open quote.
  function split(line, delimiter, quote) {
    var values = [], value = '', quoted = false;
    for (var i = 0; i < line.length; i++) {
      var c = line[i];
      if (c === quote && quoted && line[i + 1] === quote) {
        value += c;
        i++;
      } else if (c === quote) {
        quoted = !quoted;
      } else if (c === delimiter && !quoted) {
        values.push(value);
        value = '';
      } else {
        value += c;
      }
    }
    values.push(value);
    return values;
  }

  function CSVParser() {}
  CSVParser.prototype = {
    parseLineToArray: function (line, delimiter, quote) {
      return split(host.text(line), host.text(delimiter)[0] || ',', host.text(quote)[0] || '"');
    },
    // parseLineToObject leaves out values without a header, and headers without a value.
    parseLineToObject: function (line, headers, delimiter, quote) {
      if (!headers || headers.length === 0) throw new Error('CSVParser: Header list is empty');
      var object = {};
      this.parseLineToArray(line, delimiter, quote).forEach(function (value, i) {
        if (i < headers.length) object[host.text(headers[i])] = value;
      });
      return object;
    },
  };

  return { sn_impex: { CSVParser: CSVParser } };
})
