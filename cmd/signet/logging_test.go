package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestLogForMachines(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, "info", "") // no terminal: JSON
	log.Debug().Msg("too fine")
	log.Info().Str("event", "x").Float64("ms", 1.5).Msg("told")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if line["msg"] != "told" || line["level"] != "info" || line["event"] != "x" {
		t.Errorf("line %v", line)
	}
	at, err := time.Parse(time.RFC3339, line["time"].(string))
	if err != nil || !strings.HasSuffix(line["time"].(string), "Z") || time.Since(at) > time.Hour {
		t.Errorf("time %v", line["time"])
	}
}

func TestLogForPeople(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, "warn", "console")
	log.Info().Msg("too fine")
	log.Warn().Str("event", "x").Msg("told")
	if text := out.String(); !strings.Contains(text, "told") || !strings.Contains(text, "event=x") || strings.Contains(text, "too fine") || strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
}
