package issuer_test

import (
	"flag"
	"os"
	"testing"
)

// SIGNET_TEST_LONG=1 explores the interleavings further.
func TestMain(m *testing.M) {
	if os.Getenv("SIGNET_TEST_LONG") == "1" {
		_ = flag.Set("rapid.checks", "1000") // a flag on the command line wins: it is parsed after
	}
	os.Exit(m.Run())
}
