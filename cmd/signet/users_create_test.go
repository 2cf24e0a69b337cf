package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A generated password that could not be written is lost: the command must not end as if somebody had it.
func TestAPasswordThatNobodySawIsAFailure(t *testing.T) {
	dir := t.TempDir()
	st, _ := newImporter(t, dir)
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--json"}} {
		full, lost := io.Pipe()
		_ = full.CloseWithError(errors.New("no space left"))
		var said strings.Builder
		p := &program{in: strings.NewReader(""), out: lost, err: &said}
		status := p.execute(append([]string{"users", "create", "--data-dir", dir, "--email", fmt.Sprintf("ada%d@example.org", len(more)), "--generate-password"}, more...))
		if status != exitFailed || !strings.Contains(said.String(), "no space left") {
			t.Errorf("%v: status %d, %s", more, status, said.String())
		}
	}
}
