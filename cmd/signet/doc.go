// Command signet is the whole provider in one program: this room wires the others together and decides nothing of theirs.
//
// What an operator types comes in at main.go and root.go: one file per subcommand, exit status 0 done, 1 failed or refused, 2 misused.
//
// A command first gets its configuration:
//
//  1. config.go is the one struct that documents every setting; config_settings.go reads its tags.
//  2. config_flags.go gives a command the settings as flags; config_yaml.go and config_load.go read the file, the environment and the
//     files that _FILE twins name, and pick the strongest layer, setting by setting, remembering where each value is from.
//  3. config_values.go and config_kinds.go parse what a command uses; config_derive.go works out what nobody gave; config_faults.go
//     holds what is wrong, all of it, masked by config_mask.go.
//
// `signet serve` (serve.go) then goes on:
//
//  4. serve_check.go adds what keeps a server in particular from starting, so that everything is told at once and nothing was changed.
//  5. run.go is the wiring, on one screen; run_parts.go makes the parts, run_loops.go is the background work, loops.go owns it,
//     servers.go bounds connections, tls_reload.go follows the certificate, memory.go keeps the process small.
//  6. logging.go and run_log.go write one JSON object a line; metrics.go and gauges.go count for Prometheus.
//
// The other commands (keys_*.go, users_*.go, token_*.go, doctor*.go) work beside a running server on the same store (operator.go), or
// without any. Those that change the key ring go one way, keys_change.go: they ask by keys_ask.go and are recorded by keys_audit.go.
//
// story_test.go tells the whole story with the real program, over the network; testdata/script tells the command line's.
package main
