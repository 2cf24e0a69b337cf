package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is also the program: started under the name signet it runs main, as a process of its own.
func TestMain(m *testing.M) {
	// What the environment of whoever runs the tests says about signet is not part of them.
	if filepath.Base(os.Args[0]) != "signet" {
		for _, name := range environmentNames() {
			os.Unsetenv(name)
		}
	}
	testscript.Main(m, map[string]func(){"signet": main})
}

func environmentNames() []string {
	names := []string{envPrefix + "CONFIG"}
	for _, s := range settings {
		names = append(names, s.env(), s.env()+"_FILE")
	}
	return names
}
