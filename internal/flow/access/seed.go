package access

import (
	"context"
	"slices"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// shippedRule is a rule that comes with the product.
type shippedRule struct {
	name       string
	operations string // the first letters of read, create, write, delete
	roles      []string
	condition  string
	about      string
}

var shippedRoles = []struct{ name, about string }{
	{AdminRole, "Passes every rule that admin overrides"},
	{"itil", "Works on tasks and configuration items"},
	{"import_admin", "Keeps import sets and transform maps"},
	{"import_transformer", "Runs imports and pushes rows"},
	{"rest_service", "Calls REST APIs"},
	{"snc_platform_rest_api_access", "Calls REST APIs where the platform asks for it"},
	{"personalize_dictionary", "Reads what is kept of tables and fields"},
	{"soap", "Calls SOAP services"},
	{"rest_api_explorer", "Explores REST APIs"},
	{"web_service_admin", "Administers web services"},
}

// shippedContains are roles that contain others.
var shippedContains = [][2]string{{"import_admin", "import_transformer"}}

const ownRecord = "sys_id=javascript:gs.getUserID()"

// shippedRules are the rules on records and fields as they ship. What they do not name is for admin alone.
func shippedRules() []shippedRule {
	rules := []shippedRule{
		{name: "*", operations: "rcwd", roles: []string{AdminRole}, about: "What no other rule names is for admin alone"},
		{name: UserTable, operations: "r", about: "Everybody who is logged in sees who there is"},
		{name: UserTable + ".*", operations: "r", condition: ownRecord, about: "Everybody reads all of his own record"},
		{name: UserTable + ".*", operations: "r", roles: []string{"itil"}, about: "Who works on tasks reads about users"},
	}
	for _, f := range []string{"user_name", "name", "first_name", "middle_name", "last_name", "email", "title", "company", "department", "location",
		"manager", "active", "vip", record.SysCreatedOn, record.SysCreatedBy, record.SysUpdatedOn, record.SysUpdatedBy, record.SysModCount} {
		rules = append(rules, shippedRule{name: UserTable + "." + f, operations: "r", about: "Basic fields of users are for everybody"})
	}
	for _, t := range []string{"task", "cmdb", "cmdb_ci", "cmdb_rel_ci"} {
		rules = append(rules, shippedRule{name: t, operations: "rcwd", roles: []string{"itil"}, about: "Tasks and configuration items are for itil"})
	}
	for _, t := range []string{"core_company", "cmn_location", "cmn_department", "cmn_cost_center", "cmdb_model", "cmdb_rel_type", GroupTable, MemberTable, "sys_journal_field"} {
		rules = append(rules, shippedRule{name: t, operations: "r", roles: []string{"itil"}, about: "Foundation data is read by itil"})
	}
	for _, t := range []string{record.ObjectTable, record.DictionaryTable, record.ChoiceTable, "sys_documentation"} {
		rules = append(rules, shippedRule{name: t, operations: "r", about: "Everybody who is logged in reads what tables and fields there are"})
	}
	rules = append(rules, shippedRule{name: "sys_properties", operations: "r", condition: "is_private=false^type!=password^type!=password2",
		about: "Everybody who is logged in reads properties that are not private"})
	return append(rules, importRules()...)
}

func importRules() []shippedRule {
	var rules []shippedRule
	for _, t := range []string{"sys_import_set", "sys_import_set_run", "sys_import_set_row", "sys_import_set_outcome"} {
		rules = append(rules,
			shippedRule{name: t, operations: "rcw", roles: []string{"import_transformer"}, about: "Import sets are for import_transformer"},
			shippedRule{name: t, operations: "d", roles: []string{"import_admin"}, about: "Import sets are removed by import_admin"})
	}
	for _, f := range []string{"sys_transform_map.run_script", "sys_transform_map.script", "sys_transform_entry.use_source_script", "sys_transform_entry.source_script"} {
		rules = append(rules, shippedRule{name: f, operations: "cw", roles: []string{AdminRole}, about: "Scripts may do everything, so they are for admin alone"})
	}
	for _, t := range []string{"sys_data_source", "sys_transform_map", "sys_transform_entry", "sys_import_set_table", "sys_choice_action"} {
		rules = append(rules,
			shippedRule{name: t, operations: "r", roles: []string{"import_transformer"}, about: "Definitions of imports are read by import_transformer"},
			shippedRule{name: t, operations: "cwd", roles: []string{"import_admin"}, about: "Definitions of imports are kept by import_admin"})
	}
	return rules
}

var operationOf = map[rune]record.Access{'r': record.Read, 'c': record.Create, 'w': record.Write, 'd': record.Delete}

// seedRecord is one record to be there.
type seedRecord struct {
	table  string
	id     string
	values []record.Assignment
}

func seeds() []seedRecord {
	var out []seedRecord
	add := func(table, key string, values ...record.Assignment) string {
		id := record.IDFrom(table, key)
		out = append(out, seedRecord{table, id, append(values, set(record.SysID, id))})
		return id
	}
	for _, r := range shippedRoles {
		add(RoleTable, r.name, set("name", r.name), set("description", r.about))
	}
	for _, c := range shippedContains {
		add(RoleContainsTable, c[0]+">"+c[1], set("role", record.IDFrom(RoleTable, c[0])), set("contains", record.IDFrom(RoleTable, c[1])))
	}
	for _, r := range shippedRules() {
		for _, letter := range r.operations {
			operation := string(operationOf[letter])
			key := operation + " " + r.name + " " + join(r.roles) + " " + r.condition
			rule := add(RuleTable, key, set("name", r.name), set("operation", operation), set("condition", r.condition), set("description", r.about))
			for _, role := range r.roles {
				add(RuleRoleTable, key+" "+role, set("sys_security_acl", rule), set("sys_user_role", record.IDFrom(RoleTable, role)))
			}
		}
	}
	return out
}

func join(roles []string) string {
	text := ""
	for _, r := range roles {
		text += r + ","
	}
	return text
}

// Seed makes the roles and rules that ship where they are missing. What was changed stays changed, and what was
// deleted stays deleted: its change row tells.
func Seed(ctx context.Context, db *record.DB) error {
	s := &Service{db: db}
	missing, err := s.unseeded(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	return s.session().Write(ctx, func(w *record.Writer) error {
		// Whoever else seeds waits here, and then finds everything.
		if _, err := w.Bump(ctx, seedRevision); err != nil {
			return err
		}
		missing, err := s.unseeded(ctx)
		for i := 0; i < len(missing) && err == nil; i++ {
			_, err = w.Insert(ctx, s.table(missing[i].table), missing[i].values)
		}
		return err
	})
}

const seedRevision = "access seeds"

// unseeded lists the roles and rules that ship, are missing, and were never deleted.
func (s *Service) unseeded(ctx context.Context) ([]seedRecord, error) {
	seen := map[string]bool{}
	for _, table := range []string{RoleTable, RoleContainsTable, RuleTable, RuleRoleTable} {
		if err := s.each(ctx, table, []string{record.SysID}, nil, func(row []record.Value) { seen[row[0].Text] = true }); err != nil {
			return nil, err
		}
	}
	missing := slices.DeleteFunc(seeds(), func(r seedRecord) bool { return seen[r.id] })
	if len(missing) == 0 {
		return nil, nil
	}
	ids := make([]string, len(missing))
	for i := range missing {
		ids[i] = missing[i].id
	}
	removed := all(&query.Term{Field: "record", Op: query.In, Values: ids}, equal("operation", string(record.Deleted)))
	err := s.each(ctx, record.ChangeTable, []string{"record"}, removed, func(row []record.Value) { seen[row[0].Text] = true })
	return slices.DeleteFunc(missing, func(r seedRecord) bool { return seen[r.id] }), err
}
