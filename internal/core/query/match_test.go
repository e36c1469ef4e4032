package query_test

import (
	"fmt"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
)

// values is a record: what is not in it is null.
type values map[string]string

func (v values) lookup(path string) (string, bool) {
	text, ok := v[path]
	return text, ok
}

// sample has one record of each reference beside it: its assignee, who has no manager.
var sample = values{
	"sys_id": "aa", "sys_class_name": "incident", "number": "INC001", "short_description": "Größe: XL", "short": "",
	"state": "2", "priority": "10", "cost": "1.5", "active": "true",
	"opened_at": "2024-05-13 10:00:00", "closed_at": "2024-05-16 10:00:00", "due": "2024-05-14",
	"assigned_to": "u1", "assigned_to.sys_id": "u1", "assigned_to.name": "Abel Tuter", "assigned_to.%display": "Abel Tuter",
	"assigned_to.age": "9",
}

func runMatch(t *testing.T, cases map[string]bool) {
	t.Helper()
	for text, want := range cases {
		q := parse(t, text)
		if len(q.Invalid) > 0 {
			t.Errorf("%s: invalid %q", text, q.Invalid)
		}
		got, err := query.Match(q.Where, sample.lookup, incident(t))
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestMatchComparesByKind(t *testing.T) {
	runMatch(t, map[string]bool{
		"": true, "state=2": true, "state=02.0": true, "state!=2": false, "state!=3": true,
		"priority>9": true, "priority<9": false, "priority<=10": true, "priority>=10.0": true, "priority<10.01": true,
		"cost>1.49999999999999999999": true, "cost<1.50000000000000000001": true, "cost=1.5": true, "cost>-2": true,
		"number=inc001": true, "number<INC002": true, "number>inc0": true, "short_description=GRÖSSE: xl": false,
		"short_description=GRÖßE: xl": true, "number>=ÄC": false,
		"active=true": true, "active=1": true, "active!=true": false, "active!=0": true,
		"opened_at>2024-05-13": true, "opened_at=2024-05-13T12:00:00+02:00": true, "due=2024-05-14": true, "due<2024-05-14": false,
		"sys_id=aa": true, "sys_id=AA": false, "sys_class_name=INCIDENT": false, "assigned_to=u1": true, "assigned_to=U1": false,
		"stateBETWEEN2@2": true, "stateBETWEEN3@9": false, "opened_atONcustom@2024-05-13@2024-05-14": true,
		"opened_atNOTONcustom@2024-05-13@2024-05-14": false,
		"stateIN1,2": true, "stateIN1,3": false, "stateNOT IN1,2": false, "stateNOT IN1,3": true, "stateIN": false, "stateNOT IN": true,
		"numberINa,inc001": true, "sys_idINAA": false, "priorityIN10.0": true,
	})
}

func TestMatchNulls(t *testing.T) {
	runMatch(t, map[string]bool{
		"caller_id=u1": false, "caller_id!=u1": true, "caller_idISEMPTY": true, "caller_idISNOTEMPTY": false, "caller_idEMPTYSTRING": false,
		"caller_idINu1": false, "caller_idNOT INu1": true, "caller_idLIKEa": false, "caller_idNOT LIKEa": false, "caller_idANYTHING": true,
		"caller_id=": true, "caller_id!=": false, "problem_id<z": false, "problem_id>=": false,
		"shortISEMPTY": true, "short=": true, "shortEMPTYSTRING": true, "shortISNOTEMPTY": false, "short!=a": true, "shortNOT LIKEa": true,
		"short<a": true, "assigned_toISNOTEMPTY": true, "assigned_toISEMPTY": false,
		"assigned_toSAMEAScaller_id": false, "assigned_toNSAMEAScaller_id": true, "caller_idNSAMEASproblem_id": true,
		"sys_updated_onNOTONToday": true, "sys_updated_onONToday": false,
	})
}

func TestMatchOverAnEmptyLinkIsFalseButForEmptiness(t *testing.T) {
	runMatch(t, map[string]bool{
		"caller_id.name=x": false, "caller_id.name!=x": false, "caller_id.nameNOT INx": false, "caller_id.nameISEMPTY": true,
		"caller_id.nameISNOTEMPTY": false, "caller_id.nameNOT LIKEx": false, "caller_id.nameNSAMEASnumber": false,
		"assigned_to.email!=x": true, "assigned_to.manager.name!=x": false, "assigned_to.manager!=x": true,
		"assigned_to.name=abel tuter": true, "assigned_to.age<10": true, "numberNSAMEAScaller_id.name": false,
	})
}

func TestMatchValuesThatAreNoneOfTheKind(t *testing.T) {
	runMatch(t, map[string]bool{
		"priority=abc": false, "priority!=abc": true, "priority<abc": false, "priority>abc": false, "priorityINabc,10": true,
		"priorityNOT INabc": true, "active=maybe": false, "active!=maybe": true, "opened_at>soon": false, "priorityBETWEENa@z": false,
		"due=2024-02-30": false, "due!=2024-02-30": true,
	})
}

func TestMatchText(t *testing.T) {
	runMatch(t, map[string]bool{
		"short_descriptionLIKEGRÖ": true, "short_descriptionSTARTSWITHgrö": true, "short_descriptionENDSWITHxl": true,
		"short_descriptionSTARTSWITHxl": false, "short_descriptionENDSWITHgrö": false, "short_descriptionNOT LIKExl": false,
		"short_descriptionNOT LIKExxl": true, "short_descriptionLIKE": true, "numberLIKE%": false, "numberLIKE_": false,
		"priorityLIKE0": true, "opened_atSTARTSWITH2024-05": true,
		"assigned_toLIKEtuter": true, "assigned_toSTARTSWITHu1": false, "assigned_toNOT LIKEtuter": false, "assigned_toENDSWITHER": true,
		"sys_idLIKEA": true, "sys_idNOT LIKEA": false, "sys_class_nameENDSWITHDENT": true,
	})
}

func TestMatchTwoFields(t *testing.T) {
	runMatch(t, map[string]bool{
		"priorityGT_FIELDstate": true, "priorityLT_FIELDstate": false, "stateLT_FIELDpriority": true,
		"stateGT_OR_EQUALS_FIELDstate": true, "stateLT_OR_EQUALS_FIELDstate": true, "stateSAMEASstate": true, "stateNSAMEASstate": false,
		"stateSAMEASpriority": false, "assigned_to.ageLT_FIELDpriority": true, "opened_atLT_FIELDclosed_at": true,
		"dueGT_FIELDopened_at": true, "dueLT_FIELDclosed_at": true,
		"opened_atSAMEASclosed_at@week": true, "opened_atSAMEASclosed_at@day": false, "opened_atNSAMEASclosed_at@day": true,
		"opened_atSAMEASclosed_at@month": true, "opened_atSAMEASdue@quarter": true,
		"closed_atMORETHANopened_at@day@after@2": true, "closed_atMORETHANopened_at@day@after@3": false,
		"closed_atLESSTHANopened_at@day@after@4": true, "closed_atLESSTHANopened_at@day@after@3": false,
		"closed_atLESSTHANopened_at@day@before@4": false, "opened_atMORETHANclosed_at@hour@before@71": true,
		"closed_atMORETHANsys_updated_on@day@after@2": false,
	})
}

func TestMatchDateParts(t *testing.T) {
	runMatch(t, map[string]bool{
		"opened_atDATEPARTx@javascript:gs.datePart('dayofweek','monday','EE')": true,
		"opened_atDATEPARTx@javascript:gs.datePart('dayofweek','sunday','EE')": false,
		"opened_atDATEPARTx@javascript:gs.datePart('month','may','LE')":        true,
		"opened_atDATEPARTx@javascript:gs.datePart('hour','10','GT')":          false,
		"opened_atDATEPARTx@javascript:gs.datePart('year','2023','GT')":        true,
		"opened_atDATEPARTx@javascript:gs.datePart('quarter','2','EE')":        true,
		"opened_atDATEPARTx@javascript:gs.datePart('week','20','EE')":          true,
		"dueDATEPARTx@javascript:gs.datePart('day','14','GE')":                 true,
		"opened_atDATEPARTx@javascript:gs.datePart('minute','1','LT')":         true,
	})
}

func TestMatchClasses(t *testing.T) {
	runMatch(t, map[string]bool{
		"sys_class_nameINSTANCEOFtask": true, "sys_class_nameINSTANCEOFincident": true,
		"sys_class_nameINSTANCEOFmajor_incident": false, "sys_class_nameINSTANCEOFnowhere": false,
	})
}

func TestMatchStructure(t *testing.T) {
	runMatch(t, map[string]bool{
		"state=2^priority=10": true, "state=2^priority=11": false, "state=1^ORstate=2^priority=10": true,
		"state=1^priority=10^NQactive=true": true, "state=1^NQactive=false": false,
	})
	for n, want := range map[query.Node]bool{&query.And{}: true, &query.Or{}: false} {
		if got, err := query.Match(n, sample.lookup, incident(t)); got != want || err != nil {
			t.Errorf("%T: %v, %v", n, got, err)
		}
	}
}

func TestCompileRefusesWhatItCannotTest(t *testing.T) {
	for _, n := range []query.Node{
		&query.Term{Field: "bogus", Op: query.Equal, Values: []string{"1"}},
		&query.Term{Field: "state", Op: query.Equal},
		&query.Term{Field: "state", Op: query.Between, Values: []string{"1"}},
		&query.Term{Field: "state", Op: query.SameAs, Values: []string{"number"}},
		&query.Term{Field: "state", Op: query.GTField},
		&query.Term{Field: "state", Op: "VALCHANGES"},
		&query.Term{Field: "state", Op: "VALCHANGES", Values: []string{"1"}},
		&query.Term{Field: "opened_at", Op: query.MoreThan, Values: []string{"closed_at", "blink", "after", "1"}},
		&query.Term{Field: "opened_at", Op: query.DatePart, Values: []string{"year", "~", "1"}},
		&query.And{Parts: []query.Node{&query.Related{Table: "incident", Field: "problem_id", Op: query.Equal}}},
	} {
		if _, err := query.Compile(n, incident(t)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", shape(n), err)
		}
	}
}

func TestNegativeOperatorsAreComplements(t *testing.T) {
	for _, pair := range [][2]string{{"=", "!="}, {"IN", "NOT IN"}} {
		for _, field := range []string{"state", "number", "cost", "active", "sys_id", "assigned_to", "due", "opened_at", "caller_id"} {
			for _, v := range []string{"1", "2", "abc", "INC001", "true", "u1", "aa", "2024-05-14", "1.50"} {
				yes := parse(t, field+pair[0]+v).Where
				no := parse(t, field+pair[1]+v).Where
				a, _ := query.Match(yes, sample.lookup, incident(t))
				b, _ := query.Match(no, sample.lookup, incident(t))
				if a == b {
					t.Errorf("%s%s%s and its opposite are both %v", field, pair[0], v, a)
				}
			}
		}
	}
}

func TestDisplayPathsAreRecognised(t *testing.T) {
	ref, ok := query.IsDisplayPath(query.DisplayPath("a.b"))
	if ref != "a.b" || !ok {
		t.Errorf("got %q, %v", ref, ok)
	}
	if _, ok := query.IsDisplayPath("a.b"); ok {
		t.Error("a plain path is no display path")
	}
}

func BenchmarkMatch(b *testing.B) {
	dict := incident(b)
	for _, text := range []string{
		"state=2", "number=INC001", "short_descriptionLIKExl", "stateIN1,2,3^priority>5^active=true^NQnumberSTARTSWITHINC",
	} {
		m, err := query.Compile(parse(b, text).Where, dict)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Match(sample.lookup)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	dict, e := incident(b), env(b)
	for _, n := range []int{1, 10, 100_000} {
		text := strings.TrimSuffix(strings.Repeat("state=1^ORnumberLIKEnet^", (n+1)/2), "^")
		b.Run(fmt.Sprint(n, "terms"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := query.Parse(text, dict, e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
