package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	p := &program{environ: os.Environ(), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(p.execute(os.Args[1:]))
}

// program is what a command has to do with the outside: the environment and the standard streams.
type program struct {
	environ []string
	in      io.Reader
	out     io.Writer
	err     io.Writer
}

// Exit statuses of every command.
const (
	exitDone    = 0
	exitFailed  = 1 // or refused
	exitMisused = 2
)

// misuse is an error in how a command was typed, as opposed to one in doing it.
type misuse struct{ error }

func misused(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// errReported ends a command with status 1 when it has said itself what is wrong.
var errReported = errors.New("reported")

// execute runs a command line and returns the exit status.
func (p *program) execute(args []string) int {
	root := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	command, err := root.ExecuteC()
	var wrong misuse
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &wrong):
		fmt.Fprintf(p.err, "%s: %v\nTry '%s --help'.\n", command.CommandPath(), err, command.CommandPath())
		return exitMisused
	default:
		fmt.Fprintf(p.err, "%s: %v\n", command.CommandPath(), err)
		return exitFailed
	}
}
