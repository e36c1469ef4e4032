package testserver_test

import (
	"os"
	"testing"

	"headrace/internal/core/testserver"
)

func TestAServerIsReadyWhenItIsStartedAndGoneWhenItIsStopped(t *testing.T) {
	s, err := testserver.Start(testserver.Program{Name: "t", Script: `cp "$1/in" "$1/out" && echo ready; read -r _; rm -rf "$1"`,
		Files: map[string]string{"in": "there"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(s.Dir + "/out"); err != nil || string(got) != "there" {
		t.Errorf("the file of before: %q, %v", got, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestAServerThatDoesNotStartSaysWhy(t *testing.T) {
	_, err := testserver.Start(testserver.Program{Name: "t", Script: `echo no licence; rm -rf "$1"; exit 1`})
	if err == nil || err.Error() != "t did not start: no licence\n\nexit status 1" {
		t.Errorf("%v", err)
	}
}
