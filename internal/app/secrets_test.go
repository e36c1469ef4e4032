package app_test

import (
	"strings"
	"testing"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/access/vault"
)

const secretKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// Whoever writes a secret, and however many at once, it is sealed in the store and opens there alone.
func TestSecretsAreSealedOnTheirWayIntoTheStore(t *testing.T) {
	t.Setenv(vault.Variable, "")
	dir := t.TempDir()
	a, err := app.Open(t.Context(), app.Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	made, err := a.DB.Define(t.Context(), record.System, false, record.Table{Name: "u_login", Fields: []record.Field{
		{Name: "name", Type: record.String, Display: true}, {Name: "secret", Type: record.Secret}}})
	if err != nil {
		t.Fatal(made, err)
	}
	logins, session := a.DB.Catalog().Table("u_login"), a.DB.As(record.System)
	values := func(name, secret string) []record.Assignment {
		return []record.Assignment{{Field: "name", Value: record.Text(name)}, {Field: "secret", Value: record.Text(secret)}}
	}
	one, err := session.Insert(t.Context(), logins, values("one", "pass-one"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := session.Quiet("test").Insert(t.Context(), logins, values("two", "before"))
	if err == nil {
		_, _, err = session.Quiet("test").Update(t.Context(), logins, two.ID(), values("two", "pass-two"))
	}
	if err == nil {
		err = session.Write(t.Context(), func(w *record.Writer) error {
			id := record.NewID()
			err := w.InsertRows(t.Context(), logins, &record.Rows{Fields: []string{record.SysID, "name", "secret"}, Values: []record.Value{record.Text(id), record.Text("three"), record.Text("pass-three")}})
			if err == nil {
				err = w.InsertRows(t.Context(), logins, &record.Rows{Fields: []string{record.SysID, "name"}, Values: []record.Value{record.Text(record.NewID()), record.Text("four")},
					Shared: []record.Assignment{{Field: "secret", Value: record.Text("pass-four")}}})
			}
			if err == nil {
				_, err = w.UpdateRows(t.Context(), logins, &record.Rows{Fields: []string{record.SysID, record.SysModCount, "secret"},
					Values: []record.Value{record.Text(one.ID()), record.Text("0"), record.Text("pass-one")}}, func(int) []record.Assignment { return nil })
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for row, err := range session.Select(t.Context(), &record.Query{Table: logins, Fields: []string{"name", "secret"}}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if plain, err := a.Vault.Open(row[1].Text); err != nil || plain != "pass-"+row[0].Text || strings.Contains(row[1].Text, plain) {
			t.Errorf("%s is kept as %q, which opens as %q, %v", row[0].Text, row[1].Text, plain, err)
		}
	}
	if seen != 4 {
		t.Errorf("%d records", seen)
	}
	if _, changed, err := session.Update(t.Context(), logins, two.ID(), []record.Assignment{{Field: "name", Value: record.Text("two")}}); err != nil || changed {
		t.Errorf("an update that changes nothing: %v, %v", changed, err)
	}
}

func TestPasswordsOfUsersAreHashedAndNotSealed(t *testing.T) {
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Access.CreateUser(t.Context(), access.NewUser{UserName: "ann", Password: "a long password"}); err != nil {
		t.Fatal(err)
	}
	for row, err := range a.DB.As(record.System).Select(t.Context(), &record.Query{Table: a.DB.Catalog().Table(access.UserTable), Fields: []string{"user_password"}}) {
		if err != nil || !strings.HasPrefix(row[0].Text, "$argon2id$") {
			t.Errorf("%q, %v", row[0].Text, err)
		}
	}
	if _, err := a.Access.Basic(t.Context(), "ann", "a long password"); err != nil {
		t.Error(err)
	}
}

func TestAKeyOfTheEnvironmentMustBeAKey(t *testing.T) {
	t.Setenv(vault.Variable, secretKey)
	a, err := app.Open(t.Context(), app.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	t.Setenv(vault.Variable, "password")
	if b, err := app.Open(t.Context(), app.Config{Data: t.TempDir()}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
		b.Close()
	}
}
