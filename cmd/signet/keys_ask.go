package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

var (
	errNoTerminal = errors.New("this asks first, and there is no terminal: nothing was changed. Give --yes to go on")
	errDeclined   = errors.New("not confirmed: nothing was changed")
)

// terminal is standard input's descriptor, if it is one.
func (p *program) terminal() (fd int, is bool) {
	f, ok := p.in.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// confirm asks on the terminal. Without one, and for every answer but yes, it refuses.
func (p *program) confirm(question string) error {
	if _, is := p.terminal(); !is {
		return errNoTerminal
	}
	fmt.Fprintf(p.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(p.in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// shortestPassphrase is what keys are sealed under at least: whoever has the file can guess for years.
const shortestPassphrase = 12

// newPassphrase reads a passphrase: from standard input, or from the terminal, twice and unseen.
func (p *program) newPassphrase(fromInput bool) (string, error) {
	var passphrase string
	if fromInput {
		data, err := io.ReadAll(io.LimitReader(p.in, passwordLimit))
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		passphrase = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	} else {
		fd, is := p.terminal()
		if !is {
			return "", misused("there is no terminal to ask for a passphrase on: give --passphrase-stdin")
		}
		first, err := p.readUnseen(fd, "Passphrase: ")
		if err != nil {
			return "", err
		}
		second, err := p.readUnseen(fd, "The same again: ")
		if err != nil {
			return "", err
		}
		if passphrase = first; first != second {
			return "", errors.New("the two passphrases differ")
		}
	}
	if utf8.RuneCountInString(passphrase) < shortestPassphrase {
		return "", fmt.Errorf("the passphrase has fewer than %d characters", shortestPassphrase)
	}
	return passphrase, nil
}

func (p *program) readUnseen(fd int, prompt string) (string, error) {
	fmt.Fprint(p.err, prompt)
	line, err := term.ReadPassword(fd)
	fmt.Fprintln(p.err)
	if err != nil {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	return string(line), nil
}
