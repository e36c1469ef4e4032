//# 5.7 gs.info and its like fill {0} to {4}
gs.info('{0} of {1}', 'one', 2); lastLog()
//= info: one of 2

//# 5.7 gs.log and gs.print
gs.log('to the log', 'here'); var a = lastLog(); gs.print('shown'); [a, lastLog()].join()
//= info: to the log,print: shown

//# 5.7 gs.warn, gs.error, gs.logWarning, gs.logError
['warn', 'error', 'logWarning', 'logError'].map(function (n) { gs[n]('x'); return lastLog(); }).join()
//= warn: x,error: x,warn: x,error: x

//# 5.7 gs.debug is silent unless it is turned on
gs.info('before'); gs.debug('quiet'); var a = lastLog(); gs.setProperty('glide.script.debug', 'true'); gs.debug('loud'); [a, lastLog(), gs.isDebugging()].join()
//= info: before,debug: loud,true

//# 5.7 null and undefined are logged by name
gs.info(null); var a = lastLog(); gs.info(undefined); a + ' ' + lastLog()
//= info: null info: undefined

//# 5.7 who acts
[gs.getUserName(), gs.getUserDisplayName(), gs.getUserID().length, gs.getUser().getEmail(), gs.getUser().getFullName(), gs.getUser().getFirstName()].join()
//@ zoe
//= zoe,Zoe Meier,32,zoe@example.org,Zoe Meier,Zoe

//# 5.7 the system user
[gs.getUserID(), gs.getUserName(), gs.isInteractive(), gs.hasRole('anything')].join()
//= system,system,false,true

//# 5.7 hasRole: any of a list
[gs.hasRole('itil'), gs.hasRole('nothing,admin')].join()
//@ zoe
//= false,false

//# 5.7 isMemberOf by name or sys_id, getMyGroups
[gs.getUser().isMemberOf('Service Desk'), gs.getUser().isMemberOf(idOf('sys_user_group', 'name', 'Service Desk')), gs.getUser().isMemberOf('No Such'), gs.getUser().getMyGroups().size()].join()
//@ zoe
//= true,true,false,1

//# 5.7 getUserByID finds others
gs.getUser().getUserByID('abe').getDisplayName()
//= Abe Lake

//# 5.7 a session keeps data
var s = gs.getSession(); s.putClientData('k', 'v'); var a = gs.getSession().getClientData('k'); s.clearClientData('k'); [a, s.getClientData('k'), s.isInteractive(), s.getTimeZoneName()].join()
//@ zoe
//= v,,false,Europe/Zurich

//# 5.7 getProperty: text, default, null
[gs.getProperty('case.text'), gs.getProperty('case.none', 'x'), gs.getProperty('case.none') === null, gs.getProperty('case.empty', 'y')].join()
//= hello,x,true,y

//# 5.7 setProperty makes and changes
gs.setProperty('case.made', 1, 'by a case'); gs.setProperty('case.text', 'changed'); [gs.getProperty('case.made'), gs.getProperty('case.text')].join()
//= 1,changed

//# 5.7 messages to the user
gs.addInfoMessage('one'); gs.addErrorMessage('two'); var n = [gs.getInfoMessages().size(), gs.getErrorMessages().get(0)]; gs.flushMessages(); n.push(gs.getInfoMessages().length); n.join()
//= 1,two,0

//# 5.7 getMessage fills places; apostrophes double
[gs.getMessage('Hello {0}', ['zoe']), gs.getMessage("It''s {0} o''clock", [5]), gs.getMessage('plain')].join()
//= Hello zoe,It's 5 o'clock,plain

//# 5.7 nil: null, undefined, empty text, empty field
var gr = new GlideRecord('incident'); gr.get('short_description', 'Mouse is lost'); [gs.nil(null), gs.nil(undefined), gs.nil(''), gs.nil(gr.caller_id), gs.nil(0), gs.nil('x')].join()
//= true,true,true,true,false,false

//# 5.7 generateGUID
/^[0-9a-f]{32}$/.test(gs.generateGUID()) && gs.generateGUID() !== gs.generateGUID()
//= true

//# 5.7 base64 and URL encoding
[gs.base64Encode('zürich'), gs.base64Decode('esO8cmljaA=='), gs.urlEncode('a b&c'), gs.urlDecode('a+b%26c')].join()
//= esO8cmljaA==,zürich,a+b%26c,a b&c

//# 5.7 tableExists
[gs.tableExists('incident'), gs.tableExists('nope')].join()
//= true,false

//# 5.7 getDisplayColumn
gs.getDisplayColumn('sys_user')
//= name

//# 5.7 xmlToJSON: root as key, repeated elements as arrays, text beside attributes as content
JSON.stringify(gs.xmlToJSON('<s:r xmlns:s="u"><a>1</a><a>2</a><b k="v">t</b><c/></s:r>'))
//= {"s:r":{"xmlns:s":"u","a":["1","2"],"b":{"k":"v","content":"t"},"c":""}}

//# 5.7 xmlToJSON of what is no XML is null
gs.xmlToJSON('<a><b></a>')
//= null

//# 5.7 now and nowDateTime in the user's format and zone
gs.now() + ' ' + gs.nowDateTime()
//@ abe
//= 03/10/2026 03/10/2026 05:34:56

//# 5.7 nowNoTZ and nowGlideDateTime
gs.nowNoTZ() + ' ' + gs.nowGlideDateTime().getValue()
//@ abe
//= 2026-03-10 12:34:56 2026-03-10 12:34:56

//# 5.7 daysAgo, hoursAgo, minutesAgo; negative is ahead
[gs.daysAgo(1), gs.hoursAgo(2), gs.minutesAgo(-5)].join()
//= 2026-03-09 12:34:56,2026-03-10 10:34:56,2026-03-10 12:39:56

//# 5.7 daysAgoStart and daysAgoEnd: a day of the user's zone, in UTC
[gs.daysAgoStart(0), gs.daysAgoEnd(1)].join()
//@ zoe
//= 2026-03-09 23:00:00,2026-03-09 22:59:59

//# 5.7 monthsAgo, quartersAgo, yearsAgo with their edges
[gs.monthsAgoStart(1), gs.monthsAgoEnd(1), gs.quartersAgoStart(0), gs.yearsAgo(1)].join()
//= 2026-02-01 00:00:00,2026-02-28 23:59:59,2026-01-01 00:00:00,2025-03-10 12:34:56

//# 5.7 beginningOf and endOf
[gs.beginningOfToday(), gs.endOfYesterday(), gs.beginningOfThisWeek(), gs.endOfThisMonth(), gs.beginningOfNextYear(), gs.endOfLastQuarter()].join()
//= 2026-03-10 00:00:00,2026-03-09 23:59:59,2026-03-09 00:00:00,2026-03-31 23:59:59,2027-01-01 00:00:00,2025-12-31 23:59:59

//# 5.7 the boundaries of a day with summer time
[gs.daysAgoStart(-19), gs.daysAgoEnd(-19)].join()
//@ zoe
//= 2026-03-28 23:00:00,2026-03-29 21:59:59

//# 5.7 yesterday and lastWeek are 24 hours and 7 days back
gs.yesterday() + ',' + gs.lastWeek()
//= 2026-03-09 12:34:56,2026-03-03 12:34:56

//# 5.7 dateGenerate: a time of the user's day, in UTC
[gs.dateGenerate('2026-07-01', 'start'), gs.dateGenerate('2026-07-01', 'end'), gs.dateGenerate('2026-07-01', '12:00:00')].join()
//@ zoe
//= 2026-06-30 22:00:00,2026-07-01 21:59:59,2026-07-01 10:00:00

//# 5.7 dateDiff in seconds or as a duration
[gs.dateDiff('2026-03-01 00:00:00', '2026-03-02 01:00:00', true), gs.dateDiff('2026-03-01 00:00:00', '2026-03-02 01:00:00', false)].join()
//= 90000,1 01:00:00

//# 5.7 first and last days
[gs.isFirstDayOfMonth('2026-03-01'), gs.isLastDayOfMonth('2026-03-31 10:00:00'), gs.isLastDayOfYear('2026-12-30')].join()
//= true,true,false

//# 5.7 TableUtils knows the hierarchy
var t = new TableUtils('incident'); [t.tableExists(), t.getAbsoluteBase(), t.getTables().indexOf('task') > 0, t.isBaseClass()].join()
//= true,task,true,false

//# 5.7 GlideRecordUtil copies between records and objects
var u = new GlideRecordUtil(), gr = u.getGR('incident', idOf('incident', 'short_description', 'Mail is slow')); var m = u.toHashMap(gr, true); var to = new GlideRecord('incident'); to.initialize(); u.mergeToGR(m, to, ['number']); [m.category, 'sys_id' in m, to.getValue('short_description'), u.getGR('incident', 'nope')].join()
//= software,false,Mail is slow,
