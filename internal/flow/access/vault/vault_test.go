package vault_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/flow/access/vault"
)

const keyText = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func given(t *testing.T, text string) *vault.Vault {
	t.Helper()
	v, err := vault.FromText(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func seal(t *testing.T, v *vault.Vault, text string) string {
	t.Helper()
	sealed, err := v.Seal(text)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatIsSealedOpensAndTellsNothing(t *testing.T) {
	v := given(t, keyText)
	for _, text := range []string{"x!", "pa55word!", strings.Repeat("ü", 5000), "sealed:1:no:such thing"} {
		sealed := seal(t, v, text)
		if strings.Contains(sealed, text) || sealed == seal(t, v, text) {
			t.Errorf("%.20q is sealed as %.60q", text, sealed)
		}
		if again := seal(t, v, sealed); again != sealed {
			t.Errorf("sealed twice: %.60q", again)
		}
		if got, err := v.Open(sealed); err != nil || got != text {
			t.Errorf("%.20q opens as %.20q, %v", text, got, err)
		}
	}
	if sealed := seal(t, v, ""); sealed != "" {
		t.Errorf("nothing is sealed as %q", sealed)
	}
	if got, err := v.Open("from before"); err != nil || got != "from before" {
		t.Errorf("what was never sealed opens as %q, %v", got, err)
	}
}

func TestAWrongKeyAndDamageAreToldApart(t *testing.T) {
	v := given(t, keyText)
	sealed := seal(t, v, "pa55word")
	for law, c := range map[string]struct {
		by     *vault.Vault
		sealed string
		says   string
	}{
		"another key":   {given(t, strings.Repeat("ab", 32)), sealed, "another key"},
		"a flipped bit": {v, sealed[:len(sealed)-1] + map[bool]string{true: "B", false: "A"}[sealed[len(sealed)-1] == 'A'], "damaged"},
		"cut short":     {v, sealed[:len(sealed)-9], "damaged"},
		"no body":       {v, "sealed:1:", "not sealed"},
	} {
		_, err := c.by.Open(c.sealed)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", law, err)
		}
	}
}

func TestTheKeyFileIsMadeOnceAndForTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), vault.FileName)
	if _, err := vault.InFile(path).Open("sealed:1:00000000:AAAA"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a key: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("opening made a key")
	}
	sealed := make([]string, 8)
	var all sync.WaitGroup
	for i := range sealed { // as many processes at once
		all.Go(func() { sealed[i], _ = vault.InFile(path).Seal("pa55word") })
	}
	all.Wait()
	for _, s := range sealed {
		if got, err := vault.InFile(path).Open(s); err != nil || got != "pa55word" {
			t.Errorf("%q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{"", "short", keyText + "00", strings.Repeat("z", 64)} {
		if _, err := vault.FromText(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), vault.FileName)
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.InFile(path).Seal("x"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a broken file: %v", err)
	}
}
