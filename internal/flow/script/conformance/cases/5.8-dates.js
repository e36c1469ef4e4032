//# 5.8 a new date-time is now, in UTC
new GlideDateTime().getValue()
//= 2026-03-10 12:34:56

//# 5.8 a text is read as UTC
var g = new GlideDateTime('2026-01-02 03:04:05'); [g.getValue(), g.getNumericValue(), '' + g].join()
//@ zoe
//= 2026-01-02 03:04:05,1767323045000,2026-01-02 03:04:05

//# 5.8 other forms of a date: month first, then day first
['2026-05-04', '05/04/2026 10:00:00', '31/12/2026', '05-04-2026', '31.12.2026 23:59:59', '2026-05-04 10:11'].map(function (s) { return new GlideDateTime(s).getValue(); }).join()
//= 2026-05-04 00:00:00,2026-05-04 10:00:00,2026-12-31 00:00:00,2026-05-04 00:00:00,2026-12-31 23:59:59,2026-05-04 10:11:00

//# 5.8 ISO 8601 with T and Z is not read; no exception, isValid is false
var g = new GlideDateTime('2026-01-02T03:04:05Z'); [g.isValid(), g.getErrorMsg() !== '', g.getValue()].join()
//= false,true,

//# 5.8 days outside the calendar are not read
[new GlideDateTime('2026-02-30 00:00:00').isValid(), new GlideDateTime('2024-02-29 00:00:00').isValid()].join()
//= false,true

//# 5.8 a copy is another object
var a = new GlideDateTime('2026-01-01 00:00:00'), b = new GlideDateTime(a); b.addSeconds(1); [a.getValue(), b.getValue()].join()
//= 2026-01-01 00:00:00,2026-01-01 00:00:01

//# 5.8 a field of a record makes a date-time
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); new GlideDateTime(gr.opened_at).getValue()
//= 2026-03-02 09:00:00

//# 5.8 a date-time is written into a field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mail is slow'); gr.opened_at = new GlideDateTime('2026-05-05 05:05:05'); gr.update(); gr.getValue('opened_at')
//= 2026-05-05 05:05:05

//# 5.8 display values are in the user's zone and format
var g = new GlideDateTime('2026-01-02 03:04:05'); [g.getDisplayValue(), g.getDisplayValueInternal()].join()
//@ abe
//= 01/01/2026 19:04:05,2026-01-01 19:04:05

//# 5.8 setDisplayValue reads the user's zone and format
var g = new GlideDateTime(); g.setDisplayValue('07/04/2026 09:00:00'); g.getValue()
//@ abe
//= 2026-07-04 16:00:00

//# 5.8 setDisplayValue with a pattern
var g = new GlideDateTime(); g.setDisplayValue('4.7.2026 09:05', 'd.M.yyyy HH:mm'); g.getValue()
//@ zoe
//= 2026-07-04 07:05:00

//# 5.8 setDisplayValue with a pattern that does not fit throws
var g = new GlideDateTime(); g.setDisplayValue('yesterday', 'dd.MM.yyyy')
//! does not read as

//# 5.8 setValueUTC with a pattern; month names, am and pm
var g = new GlideDateTime(); g.setValueUTC('Jul 4, 2026 09:05 PM', 'MMM d, yyyy hh:mm a'); g.getValue()
//@ zoe
//= 2026-07-04 21:05:00

//# 5.8 setDisplayValueInternal reads the internal form on the user's clock
var g = new GlideDateTime(); g.setDisplayValueInternal('2026-07-04 09:00:00'); g.getValue()
//@ zoe
//= 2026-07-04 07:00:00

//# 5.8 setValue takes text, date-times and milliseconds
var g = new GlideDateTime(), n = []; g.setValue('2026-01-01 00:00:00'); n.push(g.getValue()); g.setValue(0); n.push(g.getValue()); g.setValue(new GlideDateTime('2026-02-02 02:02:02')); n.push(g.getValue()); n.join()
//= 2026-01-01 00:00:00,1970-01-01 00:00:00,2026-02-02 02:02:02

//# 5.8 setNumericValue
var g = new GlideDateTime(); g.setNumericValue(1000); g.getValue()
//= 1970-01-01 00:00:01

//# 5.8 add milliseconds, GlideTime, GlideDuration
var g = new GlideDateTime('2026-01-01 00:00:00'), t = new GlideTime(); t.setValue('01:00:00'); g.add(1000); g.add(t); g.add(new GlideDuration('1 00:00:00')); g.getValue()
//= 2026-01-02 01:00:01

//# 5.8 addSeconds, negative too
var g = new GlideDateTime('2026-01-01 00:00:00'); g.addSeconds(-1); g.getValue()
//= 2025-12-31 23:59:59

//# 5.8 days, weeks, months and years in UTC
var g = new GlideDateTime('2026-01-31 10:00:00'), n = []; g.addDaysUTC(1); n.push(g.getValue()); g.addWeeksUTC(-1); n.push(g.getValue()); g.addMonthsUTC(1); n.push(g.getValue()); g.addYearsUTC(1); n.push(g.getValue()); n.join()
//= 2026-02-01 10:00:00,2026-01-25 10:00:00,2026-02-25 10:00:00,2027-02-25 10:00:00

//# 5.8 months are clamped to the end of the month
var g = new GlideDateTime('2024-01-31 10:00:00'); g.addMonthsUTC(1); var a = g.getValue(); g.addYearsUTC(1); [a, g.getValue()].join()
//= 2024-02-29 10:00:00,2025-02-28 10:00:00

//# 5.8 local days keep the clock over summer time, UTC days do not
var a = new GlideDateTime('2026-03-28 11:00:00'), b = new GlideDateTime(a); a.addDaysLocalTime(1); b.addDaysUTC(1); [a.getValue(), b.getValue(), a.getDisplayValue()].join()
//@ zoe
//= 2026-03-29 10:00:00,2026-03-29 11:00:00,2026-03-29 12:00:00

//# 5.8 addDays, addMonths and the like without a clock are local
var g = new GlideDateTime('2026-03-28 11:00:00'); g.addDays(1); g.getValue()
//@ zoe
//= 2026-03-29 10:00:00

//# 5.8 subtract in place
var g = new GlideDateTime('2026-01-01 00:00:10'); g.subtract(10000); g.getValue()
//= 2026-01-01 00:00:00

//# 5.8 GlideDateTime.subtract gives the second less the first
var d = GlideDateTime.subtract(new GlideDateTime('2026-01-01 00:00:00'), new GlideDateTime('2026-01-02 12:00:00')); [d.getNumericValue(), d.getDisplayValue(), d.getDurationValue()].join()
//= 129600000,1 Day 12 Hours,1 12:00:00

//# 5.8 compareTo, before, after, equals
var a = new GlideDateTime('2026-01-01 00:00:00'), b = new GlideDateTime('2026-01-02 00:00:00'); [a.compareTo(b), b.compareTo(a), a.compareTo(a), a.before(b), a.after(b), a.onOrBefore(a), a.onOrAfter(b), a.equals(new GlideDateTime(a))].join()
//= -1,1,0,true,false,true,false,true

//# 5.8 < and > compare date-times
new GlideDateTime('2026-01-01 00:00:00') < new GlideDateTime('2026-01-02 00:00:00')
//= true

//# 5.8 days of the week from Monday 1 to Sunday 7
['2026-03-09', '2026-03-15'].map(function (s) { return new GlideDateTime(s + ' 12:00:00').getDayOfWeekUTC(); }).join()
//= 1,7

//# 5.8 parts on either clock
var g = new GlideDateTime('2025-12-31 23:30:00'); [g.getYearUTC(), g.getYearLocalTime(), g.getMonthUTC(), g.getMonthLocalTime(), g.getDayOfMonthUTC(), g.getDayOfMonthLocalTime(), g.getDayOfWeekLocalTime()].join()
//@ zoe
//= 2025,2026,12,1,31,1,4

//# 5.8 days in a month, weeks of the year from Sunday
var g = new GlideDateTime('2024-02-10 00:00:00'); [g.getDaysInMonthUTC(), new GlideDateTime('2026-01-03 00:00:00').getWeekOfYearUTC(), new GlideDateTime('2026-01-04 00:00:00').getWeekOfYearUTC()].join()
//= 29,1,2

//# 5.8 setting parts clamps
var g = new GlideDateTime('2026-01-31 10:00:00'); g.setMonthUTC(2); var a = g.getValue(); g.setDayOfMonthUTC(31); var b = g.getValue(); g.setYearUTC(2024); [a, b, g.getValue()].join()
//= 2026-02-28 10:00:00,2026-02-28 10:00:00,2024-02-28 10:00:00

//# 5.8 getDate and getLocalDate, getTime and getLocalTime
var g = new GlideDateTime('2026-07-01 22:30:00'); [g.getDate().getValue(), g.getLocalDate().getValue(), g.getTime().getByFormat('HH:mm'), g.getLocalTime().getByFormat('HH:mm:ss')].join()
//@ zoe
//= 2026-07-01,2026-07-02,22:30,00:30:00

//# 5.8 offsets of the user's zone
var s = new GlideDateTime('2026-07-01 00:00:00'), w = new GlideDateTime('2026-01-01 00:00:00'); [s.getTZOffset(), w.getTZOffset(), s.getDSTOffset(), w.getDSTOffset(), s.isDST(), w.isDST()].join()
//@ zoe
//= 7200000,3600000,3600000,0,true,false

//# 5.8 setTZ gives another clock
var g = new GlideDateTime('2026-01-01 00:00:00'); g.setTZ('Asia/Tokyo'); g.getDisplayValue()
//= 2026-01-01 09:00:00

//# 5.8 GlideDate: a day without a zone
var d = new GlideDate(); d.setValue('2026-03-05'); [d.getValue(), d.getDisplayValue(), d.getByFormat('dd.MM.yyyy'), d.getDayOfMonthNoTZ(), d.getMonthNoTZ(), d.getYearNoTZ()].join()
//@ abe
//= 2026-03-05,03/05/2026,05.03.2026,5,3,2026

//# 5.8 a new GlideDate is the user's today
new GlideDate().getValue()
//= 2026-03-10

//# 5.8 GlideDate.subtract
GlideDate.subtract(new GlideDate('2026-01-01'), new GlideDate('2026-01-31')).getDayPart()
//= 30

//# 5.8 patterns as of SimpleDateFormat
var d = new GlideDateTime('2026-03-05 07:08:09'); [d.getByFormat("EEEE, d MMMM yyyy"), d.getByFormat("hh:mm a"), d.getByFormat("yyMMddHHmmss"), d.getByFormat("'at' H 'o''clock'"), d.getByFormat('EEE MMM')].join('|')
//= Thursday, 5 March 2026|07:08 AM|260305070809|at 7 o'clock|Thu Mar

//# 5.8 GlideTime
var t = new GlideTime(); t.setValue('15:30:45'); [t.getValue(), t.getByFormat('hh:mm'), t.getHourOfDayUTC(), t.getHourUTC(), t.getMinutesUTC(), t.getSeconds()].join()
//= 1970-01-01 15:30:45,03:30,15,3,30,45

//# 5.8 GlideTime.subtract
var a = new GlideTime(), b = new GlideTime(); a.setValue('10:00:00'); b.setValue('12:30:00'); GlideTime.subtract(a, b).getByFormat('HH:mm')
//= 02:30

//# 5.8 GlideDuration from days and a clock, and from milliseconds
var d = new GlideDuration('3 12:00:00'); [d.getValue(), d.getDisplayValue(), d.getDurationValue(), d.getDayPart(), d.getRoundedDayPart(), d.getNumericValue(), new GlideDuration(60000).getDurationValue()].join()
//= 1970-01-04 12:00:00,3 Days 12 Hours,3 12:00:00,3,4,302400000,00:01:00

//# 5.8 add and subtract of a duration give a new one
var d = new GlideDuration('1 00:00:00'), e = d.add(new GlideDuration('0 06:00:00')); [d.getDurationValue(), e.getDurationValue(), e.subtract(d).getDurationValue()].join()
//= 1 00:00:00,1 06:00:00,06:00:00

//# 5.8 seconds are said only below a minute
[new GlideDuration(45000).getDisplayValue(), new GlideDuration(105000).getDisplayValue(), new GlideDuration(3600000).getDisplayValue()].join()
//= 45 Seconds,1 Minute,1 Hour

//# 5.8 adding so much that the calendar ends makes it invalid
var g = new GlideDateTime('2026-01-01 00:00:00'); g.addYearsUTC(1000000); g.isValid()
//= false
