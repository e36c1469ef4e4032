package query_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
)

type parseCase struct{ text, want, invalid string } // invalid terms are joined by " ; "

func runParse(t *testing.T, cases []parseCase) {
	t.Helper()
	for _, c := range cases {
		q := parse(t, c.text)
		if got := shape(q.Where); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
		if got := strings.Join(q.Invalid, " ; "); got != c.invalid {
			t.Errorf("%s: invalid terms %q, want %q", c.text, got, c.invalid)
		}
	}
}

func TestSection21Grammar(t *testing.T) {
	runParse(t, []parseCase{
		{"", "all", ""},
		{"state=1", "state=1", ""},
		{"state=1^EQ", "state=1", ""},
		{"state=1^EQ^NQstate=2^EQ", "or(state=1 state=2)", ""},
		{"EQ", "all", ""},
		{"^^^", "all", "^^"},
		{"^state=1^", "state=1", ""},
		{"short_descriptionLIKEnet", "short_descriptionLIKEnet", ""},
		{"shortLIKEnet", "shortLIKEnet", ""},
		{"short_desLIKEnet", "all", "short_desLIKEnet"},
		{"state =1", "state=1", ""},
		{"state=1^ priority=2", "and(state=1 priority=2)", ""},
		{"state IN 1, 2", "stateIN1,2", ""},
		{"assigned_to.manager.nameSTARTSWITHBeth", "assigned_to.manager.nameSTARTSWITHBeth", ""},
		{"assigned_to.manager=u1", "assigned_to.manager=u1", ""},
		{"assigned_to.emailLIKEa.b", "assigned_to.emailLIKEa.b", ""},
		{"short=a^^b", "short=a^^b", ""},
		{"short=a^^^state=1", "and(short=a^^ state=1)", ""},
		{"short=^^^^", "short=^^^^", ""},
		{"GOTOnumber>=INC001", "number>=INC001", ""},
		{"STATE=1", "all", "STATE=1"},
	})
}

func TestSection22Precedence(t *testing.T) {
	runParse(t, []parseCase{
		{"state=1^priority=2", "and(state=1 priority=2)", ""},
		{"state=1^ORstate=2", "or(state=1 state=2)", ""},
		{"state=1^priority=2^ORpriority=3^active=true", "and(state=1 or(priority=2 priority=3) active=true)", ""},
		{"state=1^ORstate=2^priority=1^ORpriority=2", "and(or(state=1 state=2) or(priority=1 priority=2))", ""},
		{"state=1^priority=2^NQstate=3^active=true", "or(and(state=1 priority=2) and(state=3 active=true))", ""},
		{"state=1^ORstate=2^NQstate=3^ORstate=4", "or(or(state=1 state=2) or(state=3 state=4))", ""},
		{"state=1^NQ", "state=1", ""},
		{"ORstate=1", "state=1", ""},
		{"^OR priority=1", "priority=1", ""},
	})
}

func TestSortTermsStandAnywhere(t *testing.T) {
	for _, c := range []struct {
		text, where, orders, groups string
	}{
		{"ORDERBYnumber", "all", "number", ""},
		{"ORDERBYnumber^state=1", "state=1", "number", ""},
		{"state=1^ORDERBYDESCopened_at^priority=2", "and(state=1 priority=2)", "-opened_at", ""},
		{"state=1^NQpriority=2^ORDERBYnumber", "or(state=1 priority=2)", "number", ""},
		{"state=1^NQORDERBYnumber", "state=1", "number", ""},
		{"state=1^ORDERBYnumber^ORstate=2", "or(state=1 state=2)", "number", ""},
		{"ORDERBYassigned_to.name^ORDERBYDESCnumber", "all", "assigned_to.name -number", ""},
		{"GROUPBYstate^GROUPBYassigned_to", "all", "", "state assigned_to"},
		{"ORDERBY number ", "all", "number", ""},
	} {
		q := parse(t, c.text)
		var orders []string
		for _, o := range q.OrderBy {
			orders = append(orders, map[bool]string{true: "-"}[o.Desc]+o.Field)
		}
		got := []string{shape(q.Where), strings.Join(orders, " "), strings.Join(q.GroupBy, " "), strings.Join(q.Invalid, " ")}
		if want := []string{c.where, c.orders, c.groups, ""}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", c.text, got, want)
		}
	}
}

func TestSection23ComparisonOperators(t *testing.T) {
	runParse(t, []parseCase{
		{"state!=7", "state!=7", ""},
		{"state=", "stateISEMPTY", ""},
		{"state!=", "stateISNOTEMPTY", ""},
		{"short=NULL", "shortISEMPTY", ""},
		{"short!=NULL", "shortISNOTEMPTY", ""},
		{"priority<2^priority<=2^priority>2^priority>=2", "and(priority<2 priority<=2 priority>2 priority>=2)", ""},
		{"state=007^cost=1.50^cost=-0.0^cost=+.5", "and(state=7 cost=1.5 cost=0 cost=0.5)", ""},
		{"active=1^active=TRUE^active!=0", "and(active=true active=true active!=false)", ""},
		{"sys_updated_on>2024-01-01 00:00:00", "sys_updated_on>2024-01-01 00:00:00", ""},
		{"opened_at>2024-01-01", "opened_at>2024-01-01 00:00:00", ""},
		{"opened_at>2024-01-01T10:00:00+02:00", "opened_at>2024-01-01 08:00:00", ""},
		{"due=2024-01-01 10:00:00", "due=2024-01-01", ""},
		{"stateIN1,2,3", "stateIN1,2,3", ""},
		{"stateNOT IN1,2", "stateNOT IN1,2", ""},
		{"stateNOTIN1,2", "stateNOT IN1,2", ""},
		{"stateIN", "stateIN", ""},
		{"stateIN1,,2,", "stateIN1,2", ""},
		{"stateBETWEEN1@5", "stateBETWEEN1@5", ""},
		{"stateBETWEEN1", "all", "stateBETWEEN1"},
		{"opened_atBETWEENjavascript:gs.daysAgoStart(7)@javascript:gs.daysAgoEnd(0)",
			"opened_atBETWEEN2024-05-07 22:00:00@2024-05-15 21:59:59", ""},
		{"assigned_toISEMPTY^assigned_toEMPTY", "and(assigned_toISEMPTY assigned_toISEMPTY)", ""},
		{"assigned_toISNOTEMPTY^assigned_toNOTEMPTY", "and(assigned_toISNOTEMPTY assigned_toISNOTEMPTY)", ""},
		{"shortIS_NULL^shortIS_NOT_NULL", "and(shortISEMPTY shortISNOTEMPTY)", ""},
		{"shortEMPTYSTRING", "shortEMPTYSTRING", ""},
		{"shortANYTHING", "shortANYTHING", ""},
		{"shortISEMPTYx", "all", "shortISEMPTYx"},
		{"assigned_toSAMEAScaller_id", "assigned_toSAMEAScaller_id", ""},
		{"assigned_toNSAMEAScaller_id", "assigned_toNSAMEAScaller_id", ""},
		{"assigned_toSAMEASstate", "all", "assigned_toSAMEASstate"},
		{"opened_atSAMEASclosed_at@day", "opened_atSAMEASclosed_at@day", ""},
		{"opened_atSAMEASclosed_at@blink", "all", "opened_atSAMEASclosed_at@blink"},
		{"stateGT_FIELDpriority", "stateGT_FIELDpriority", ""},
		{"stateLT_FIELDpriority", "stateLT_FIELDpriority", ""},
		{"stateGT_OR_EQUALS_FIELDpriority", "stateGT_OR_EQUALS_FIELDpriority", ""},
		{"stateLT_OR_EQUALS_FIELDpriority", "stateLT_OR_EQUALS_FIELDpriority", ""},
		{"sys_class_nameINSTANCEOFtask", "sys_class_nameINSTANCEOFtask", ""},
		{"assigned_toDYNAMICmine", "assigned_toINu1,u2", ""},
		{"assigned_toDYNAMICother", "all", "assigned_toDYNAMICother"},
	})
}

func TestSection23TextOperators(t *testing.T) {
	runParse(t, []parseCase{
		{"shortSTARTSWITHa^shortENDSWITHb^short%c", "and(shortSTARTSWITHa shortENDSWITHb shortENDSWITHc)", ""},
		{"shortLIKEa^shortCONTAINSb^short*c", "and(shortLIKEa shortLIKEb shortLIKEc)", ""},
		{"shortNOT LIKEa^shortNOTLIKEb^shortDOES NOT CONTAINc^short!*d",
			"and(shortNOT LIKEa shortNOT LIKEb shortNOT LIKEc shortNOT LIKEd)", ""},
		{"stateLIKE07", "stateLIKE07", ""},
		{"shortLIKE50%_a", "shortLIKE50%_a", ""},
	})
}

func TestSection23DateOperators(t *testing.T) {
	runParse(t, []parseCase{
		{"opened_atONToday@javascript:gs.daysAgoStart(0)@javascript:gs.daysAgoEnd(0)",
			"opened_atONcustom@2024-05-14 22:00:00@2024-05-15 21:59:59", ""},
		{"opened_atONcustom@2024-01-01 00:00:00@2024-01-02 00:00:00", "opened_atONcustom@2024-01-01 00:00:00@2024-01-02 00:00:00", ""},
		{"opened_atONToday", "opened_atONcustom@2024-05-14 22:00:00@2024-05-15 21:59:59", ""},
		{"opened_atNOTONToday", "opened_atNOTONcustom@2024-05-14 22:00:00@2024-05-15 21:59:59", ""},
		{"dueONToday", "dueONcustom@2024-05-15@2024-05-15", ""},
		{"opened_atON2024-01-05", "opened_atONcustom@2024-01-04 23:00:00@2024-01-05 22:59:59", ""},
		{"opened_atONSomeday", "all", "opened_atONSomeday"},
		{"opened_atONx@y@z", "all", "opened_atONx@y@z"},
		{"shortONToday", "all", "shortONToday"},
		{"opened_atRELATIVEGT@hour@ago@3", "opened_at>2024-05-15 05:30:45", ""},
		{"opened_atRELATIVELT@minute@ahead@10", "opened_at<2024-05-15 08:40:45", ""},
		{"opened_atRELATIVEGE@dayofweek@ago@2", "opened_at>=2024-05-12 22:00:00", ""},
		{"opened_atRELATIVELE@day@ago@2", "opened_at<=2024-05-13 21:59:59", ""},
		{"opened_atRELATIVELTE@day@ago@2", "opened_at<=2024-05-13 21:59:59", ""},
		{"opened_atRELATIVEEE@month@ago@3", "opened_atONcustom@2024-01-31 23:00:00@2024-02-29 22:59:59", ""},
		{"opened_atRELATIVEGT@quarter@ago@1", "opened_at>2024-02-15 09:30:45", ""},
		{"dueRELATIVEGT@year@ahead@1", "due>2025-05-15", ""},
		{"opened_atRELATIVEGT@blink@ago@3", "all", "opened_atRELATIVEGT@blink@ago@3"},
		{"opened_atRELATIVEGT@year@ago@999999", "all", "opened_atRELATIVEGT@year@ago@999999"},
		{"opened_atDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')",
			"opened_atDATEPARTcustom@javascript:gs.datePart('dayofweek','1','EE')", ""},
		{`opened_atDATEPARTx@javascript:gs.datePart("month","May","GE")`,
			"opened_atDATEPARTcustom@javascript:gs.datePart('month','5','GE')", ""},
		{"opened_atDATEPARTx@javascript:gs.datePart('year','2024','LT')",
			"opened_atDATEPARTcustom@javascript:gs.datePart('year','2024','LT')", ""},
		{"opened_atDATEPARTx@javascript:gs.datePart('age','2024','LT')", "all",
			"opened_atDATEPARTx@javascript:gs.datePart('age','2024','LT')"},
		{"dueDATEPARTx@javascript:gs.datePart('hour','3','LT')", "all", "dueDATEPARTx@javascript:gs.datePart('hour','3','LT')"},
		{"closed_atMORETHANopened_at@day@after@3", "closed_atMORETHANopened_at@day@after@3", ""},
		{"closed_atLESSTHANopened_at@hour@before@3", "closed_atLESSTHANopened_at@hour@before@3", ""},
		{"closed_atLESSTHANstate@hour@before@3", "all", "closed_atLESSTHANstate@hour@before@3"},
	})
}

func TestSection23ChangeOperatorsAndTagsAreInvalidInQueries(t *testing.T) {
	runParse(t, []parseCase{
		{"stateVALCHANGES", "all", "stateVALCHANGES"},
		{"state=1^stateCHANGESFROM2^stateCHANGESTO3", "state=1", "stateCHANGESFROM2 ; stateCHANGESTO3"},
		{"sys_tags.0123=0123", "all", "sys_tags.0123=0123"},
	})
}

func TestSection24SpecialTerms(t *testing.T) {
	runParse(t, []parseCase{
		{"RLQUERYincident.problem_id,>=1^active=true^ENDRLQUERY^state=2",
			"and(related[incident problem_id >=1 active=true] state=2)", ""},
		{"state=1^RLQUERYincident.problem_id,<1^ENDRLQUERY", "and(state=1 related[incident problem_id <1 all])", ""},
		{"state=1^ORRLQUERYincident.caller_id,=0^state=1^ORstate=2^ENDRLQUERY",
			"or(state=1 related[incident caller_id =0 or(state=1 state=2)])", ""},
		{"RLQUERYincident.problem_id,>=1,m2m^active=true^ENDRLQUERY^state=2", "state=2", "RLQUERYincident.problem_id,>=1,m2m"},
		{"RLQUERYnowhere.x,>=1^RLQUERYincident.problem_id,=0^ENDRLQUERY^a=1^ENDRLQUERY^state=2", "state=2", "RLQUERYnowhere.x,>=1"},
		{"RLQUERYproblem.number,=1^bogus=1^ORDERBYnumber^ENDRLQUERY", "related[problem number =1 all]", "bogus=1 ; ORDERBYnumber"},
		{"JOINincident.problem_id=problem.sys_id!active=true^numberLIKE1^ORDERBYstate",
			"exists[problem_id problem sys_id and(active=true numberLIKE1)]", ""},
		{"state=1^JOINincident.problem_id=problem.sys_id!", "and(state=1 exists[problem_id problem sys_id all])", ""},
		{"JOINincident.problem_id=problem.sys_id^state=1", "state=1", "JOINincident.problem_id=problem.sys_id"},
		{"SUBQUERYcaller_id,sys_id,sys_user^active=true^ENDSUBQUERY^state=1",
			"and(exists[caller_id sys_user sys_id active=true] state=1)", ""},
		{"SUBQUERYcaller_id,sys_id^active=true^ENDSUBQUERY^state=1", "state=1", "SUBQUERYcaller_id,sys_id"},
		{"123TEXTQUERY321=printer^state=1", "state=1", "123TEXTQUERY321=printer"},
		{"variables.0123=x", "all", "variables.0123=x"},
	})
	if q := parse(t, "JOINincident.problem_id=problem.sys_id!active=true^ORDERBYstate"); len(q.OrderBy) != 1 {
		t.Errorf("sort terms behind a join: %v", q.OrderBy)
	}
}

func TestSpecialTermsNestOnlySoDeep(t *testing.T) {
	deep := strings.Repeat("RLQUERYincident.problem_id,>=1^", 100_000)
	if q := parse(t, deep); len(q.Invalid) != 1 {
		t.Errorf("%d invalid terms", len(q.Invalid))
	}
}

func TestSection25ScriptValues(t *testing.T) {
	for expr, want := range map[string]string{
		"gs.getUserID()":                           "0123456789abcdef0123456789abcdef",
		"gs.getUserName()":                         "abel.tuter",
		"gs.getUserDisplayName()":                  "Abel Tuter",
		"gs.daysAgo(1)":                            "2024-05-14 08:30:45",
		"gs.daysAgoStart(-1)":                      "2024-05-15 22:00:00",
		"gs.daysAgoEnd(0)":                         "2024-05-15 21:59:59",
		"gs.hoursAgo(2)":                           "2024-05-15 06:30:45",
		"gs.hoursAgoStart(2)":                      "2024-05-15 06:00:00",
		"gs.hoursAgoEnd(2)":                        "2024-05-15 06:59:59",
		"gs.minutesAgo(15)":                        "2024-05-15 08:15:45",
		"gs.minutesAgoStart(15)":                   "2024-05-15 08:15:00",
		"gs.minutesAgoEnd(15)":                     "2024-05-15 08:15:59",
		"gs.monthsAgo(3)":                          "2024-02-15 09:30:45",
		"gs.monthsAgoStart(3)":                     "2024-01-31 23:00:00",
		"gs.quartersAgoStart(1)":                   "2023-12-31 23:00:00",
		"gs.quartersAgoEnd(1)":                     "2024-03-31 21:59:59",
		"gs.yearsAgo(1)":                           "2023-05-15 08:30:45",
		"gs.yearsAgoStart(1)":                      "2022-12-31 23:00:00",
		"gs.beginningOfToday()":                    "2024-05-14 22:00:00",
		"gs.endOfToday()":                          "2024-05-15 21:59:59",
		"gs.beginningOfYesterday()":                "2024-05-13 22:00:00",
		"gs.endOfTomorrow()":                       "2024-05-16 21:59:59",
		"gs.beginningOfThisWeek()":                 "2024-05-12 22:00:00",
		"gs.endOfThisWeek()":                       "2024-05-19 21:59:59",
		"gs.beginningOfLastWeek()":                 "2024-05-05 22:00:00",
		"gs.endOfNextWeek()":                       "2024-05-26 21:59:59",
		"gs.beginningOfThisMonth()":                "2024-04-30 22:00:00",
		"gs.endOfLastMonth()":                      "2024-04-30 21:59:59",
		"gs.beginningOfNextMonth()":                "2024-05-31 22:00:00",
		"gs.beginningOfThisQuarter()":              "2024-03-31 22:00:00",
		"gs.endOfLastQuarter()":                    "2024-03-31 21:59:59",
		"gs.endOfNextQuarter()":                    "2024-09-30 21:59:59",
		"gs.beginningOfThisYear()":                 "2023-12-31 23:00:00",
		"gs.endOfLastYear()":                       "2023-12-31 22:59:59",
		"gs.endOfNextYear()":                       "2025-12-31 22:59:59",
		"gs.beginningOfLast3Months()":              "2024-01-31 23:00:00",
		"gs.endOfLast6Months()":                    "2024-05-31 21:59:59",
		"gs.beginningOfLast9Months()":              "2023-07-31 22:00:00",
		"gs.beginningOfLast12Months()":             "2023-04-30 22:00:00",
		"gs.beginningOfLast7Days()":                "2024-05-07 22:00:00",
		"gs.endOfLast7Days()":                      "2024-05-15 21:59:59",
		"gs.beginningOfLast30Days()":               "2024-04-14 22:00:00",
		"gs.beginningOfLast60Days()":               "2024-03-15 23:00:00",
		"gs.beginningOfLast90Days()":               "2024-02-14 23:00:00",
		"gs.beginningOfLast120Days()":              "2024-01-15 23:00:00",
		"gs.beginningOfCurrentHour()":              "2024-05-15 08:00:00",
		"gs.endOfLastHour()":                       "2024-05-15 07:59:59",
		"gs.beginningOfLast2Hours()":               "2024-05-15 06:00:00",
		"gs.endOfCurrentMinute()":                  "2024-05-15 08:30:59",
		"gs.beginningOfLastMinute()":               "2024-05-15 08:29:00",
		"gs.beginningOfLast15Minutes()":            "2024-05-15 08:15:00",
		"gs.beginningOfLast30Minutes()":            "2024-05-15 08:00:00",
		"gs.beginningOfLast45Minutes()":            "2024-05-15 07:45:00",
		"gs.beginningOfOneYearAgo()":               "2023-05-14 22:00:00",
		"gs.endOfOneYearAgo()":                     "2023-05-15 21:59:59",
		"gs.dateGenerate('2024-01-05','12:00:00')": "2024-01-05 11:00:00",
		`gs.dateGenerate("2024-01-05","start")`:    "2024-01-04 23:00:00",
		"gs.dateGenerate('2024-01-05',%20'end')":   "2024-01-05 22:59:59",
		"gs.dateGenerate( '2024-07-05 10:00:00' )": "2024-07-05 08:00:00",
		"gs.now()":                                 "2024-05-15 08:30:45",
		"gs.nowDateTime();":                        "2024-05-15 08:30:45",
		"GetIDValue('sys_user','Beth')":            "id of Beth",
		" gs.getUserName( ) ":                      "abel.tuter",
	} {
		if got := shape(parse(t, "short=javascript:"+expr).Where); got != "short="+want {
			t.Errorf("%s: got %s, want %s", expr, got, want)
		}
	}
}

func TestSection25NonEvaluableTermsDisappear(t *testing.T) {
	for _, expr := range []string{
		"", "gs", "gs.()", "gs.nothing()", "gs.daysAgo()", "gs.daysAgo('x')", "gs.daysAgo(1,2)", "gs.daysAgo(1", "gs.daysAgo(1))",
		"gs.daysAgo(99999999999999999999)", "gs.yearsAgo(5000)", "gs.dateGenerate('2024-13-05','start')", "gs.getUserID", "1+1",
		"GetIDValue('sys_user','Nobody')", "gs.datePart('year','2024','EE')", "gs.beginningOfLife()", "gs.getUserID() + 'x'",
		"gs.daysAgo(1 2)", "gs.dateGenerate('2024-01-05)", "gs.beginningOfLast99999999999999999999Days()",
	} {
		q := parse(t, "state=1^short=javascript:"+expr)
		if got := shape(q.Where); got != "state=1" || len(q.Invalid) != 1 {
			t.Errorf("%s: got %s, invalid %q", expr, got, q.Invalid)
		}
	}
}

func TestScriptValuesTakeTheFormOfTheField(t *testing.T) {
	runParse(t, []parseCase{
		{"due=javascript:gs.daysAgoStart(0)", "due=2024-05-15", ""},
		{"dueBETWEENjavascript:gs.beginningOfThisMonth()@javascript:gs.endOfThisMonth()", "dueBETWEEN2024-05-01@2024-05-31", ""},
		{"caller_id=javascript:gs.getUserID()", "caller_id=0123456789abcdef0123456789abcdef", ""},
		{"shortINjavascript:gs.getUserDisplayName()", "shortINAbel Tuter", ""},
		{"shortLIKEjavascript:gs.getUserName()", "shortLIKEabel.tuter", ""},
		{"shortINa,javascript:gs.getUserName()", "all", "shortINa,javascript:gs.getUserName()"},
	})
}

func TestSection26InvalidTermsAreLeftOut(t *testing.T) {
	runParse(t, []parseCase{
		{"bogus=1", "all", "bogus=1"},
		{"state=1^bogus=1", "state=1", "bogus=1"},
		{"state=1^ORbogus=1", "state=1", "ORbogus=1"},
		{"state=1^bogus=1^ORpriority=2", "and(state=1 priority=2)", "bogus=1"},
		{"state=1^NQbogus=1", "state=1", "NQbogus=1"},
		{"state~1", "all", "state~1"},
		{"state", "all", "state"},
		{"assigned_to.bogus=1", "all", "assigned_to.bogus=1"},
		{"state.name=1", "all", "state.name=1"},
		{"priority=abc", "priority=abc", ""},
		{"state=1^ORDERBYbogus", "state=1", "ORDERBYbogus"},
	})
}

func TestZeroEnvMeansTheClockAndUTC(t *testing.T) {
	before := time.Now().UTC().Add(-time.Second)
	q, err := query.Parse("opened_at=javascript:gs.now()", incident(t), query.Env{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.DateTime, q.Where.(*query.Term).Values[0])
	if err != nil || at.Before(before.Truncate(time.Second)) || at.After(time.Now().UTC()) {
		t.Errorf("got %v, %v", at, err)
	}
}

func TestManyTermsAreReadAndTooManyRefused(t *testing.T) {
	for _, sep := range []string{"^", "^OR", "^NQ"} {
		start := time.Now()
		q := parse(t, strings.Repeat("state=1"+sep, 100_000)+"state=1")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q: %v", sep, took)
		}
		if again := parse(t, q.String()); again.String() != q.String() {
			t.Errorf("%q: not the same when printed and read", sep)
		}
	}
	_, err := query.Parse(strings.Repeat("state=1^", query.MaxTerms+1), incident(t), env(t))
	if fault.KindOf(err) != fault.Limit || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
}

func TestHooksThatAreNotThereMakeTermsInvalid(t *testing.T) {
	q, err := query.Parse("assigned_toDYNAMICmine^short=javascript:GetIDValue('sys_user','Beth')", incident(t), query.Env{})
	if err != nil || q.Where != nil || len(q.Invalid) != 2 {
		t.Errorf("got %+v, %v", q, err)
	}
}

func TestEncodeTellsWhereTheLanguageHasNoForm(t *testing.T) {
	a := &query.Term{Field: "state", Op: query.Equal, Values: []string{"1"}}
	and, or := &query.And{Parts: []query.Node{a, a}}, &query.Or{Parts: []query.Node{a, a}}
	for _, c := range []struct {
		node  query.Node
		text  string
		exact bool
	}{
		{nil, "", true}, {a, "state=1", true}, {and, "state=1^state=1", true}, {or, "state=1^ORstate=1", true},
		{&query.Or{Parts: []query.Node{a, and}}, "state=1^NQstate=1^state=1", true},
		{&query.Or{}, "", false}, {&query.And{}, "", false},
		{&query.And{Parts: []query.Node{a, &query.Or{Parts: []query.Node{a, and}}}}, "state=1^state=1^OR(state=1^state=1)", false},
		{&query.Or{Parts: []query.Node{a, &query.Or{Parts: []query.Node{and, a}}}}, "state=1^NQ(state=1^state=1)^ORstate=1", false},
	} {
		if text, exact := query.Encode(c.node); text != c.text || exact != c.exact {
			t.Errorf("got %q, %v, want %q, %v", text, exact, c.text, c.exact)
		}
	}
}
