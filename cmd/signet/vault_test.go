package main

import (
	"os"
	"os/exec"
)

// signetIn runs a command to its end.
func signetIn(dir string, environ []string, args ...string) (string, error) {
	c := exec.Command("signet", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), environ...)
	out, err := c.CombinedOutput()
	return string(out), err
}
