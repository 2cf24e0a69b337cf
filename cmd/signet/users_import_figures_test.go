package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"signet/repository/mongodb/mongotest"
)

// mostImportMemory is what an import may have resident, however many accounts there are.
const mostImportMemory = 200 << 20

// TestImportFigures imports with the program in a process of its own, and prints how long it took. Its memory is bounded; its time is not tested. A
// million accounts on SQLite take some minutes: SIGNET_TEST_MILLION=1 imports as many, and 200,000 are imported otherwise.
func TestImportFigures(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") == "" {
		t.Skip("imports for a minute: SIGNET_TEST_LONG=1")
	}
	rows := 200_000
	if os.Getenv("SIGNET_TEST_MILLION") != "" {
		rows = 1_000_000
	}
	dir := t.TempDir()
	st, _ := newImporter(t, dir)
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	file := djangoDump(t, rows)
	sqlite := []string{"SIGNET_DATA_DIR=" + dir}
	measureImport(t, "SQLite, dry run", sqlite, rows, 0, file, "--dry-run")
	measureImport(t, "SQLite", sqlite, rows, 0, file)
	measureImport(t, "SQLite, again", sqlite, rows, rows, file)

	uri := mongotest.URI(t)
	st, err := openStore(t.Context(), &Config{MongoDBURI: uri}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const fewer = 10_000
	file = djangoDump(t, fewer)
	measureImport(t, "MongoDB", []string{"SIGNET_MONGODB_URI=" + uri}, fewer, 0, file)
	measureImport(t, "MongoDB, again", []string{"SIGNET_MONGODB_URI=" + uri}, fewer, fewer, file)
}

func measureImport(t *testing.T, what string, environ []string, rows, there int, file string, flags ...string) {
	t.Helper()
	c := exec.Command("signet", append([]string{"users", "import", file, "--json"}, flags...)...)
	c.Env = append(append(os.Environ(), environ...), "SIGNET_ISSUER=http://localhost:9")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var sum struct {
		Rows, Imported, There int
		Seconds               float64
	}
	var failed error
	most := peak(c.Process.Pid, func() {
		failed = json.NewDecoder(out).Decode(&sum)
		if err := c.Wait(); failed == nil {
			failed = err
		}
	})
	if failed != nil || sum.Rows != rows || sum.There != there || sum.Imported != rows-there {
		t.Fatalf("%s: %+v, %v", what, sum, failed)
	}
	if most > mostImportMemory {
		t.Errorf("%s: %s resident", what, mib(most))
	}
	fmt.Printf("import, %-16s %9d accounts in %6.1f s, %6.0f/s, at most %s resident\n", what+":", rows, sum.Seconds, float64(rows)/sum.Seconds, mib(most))
}
