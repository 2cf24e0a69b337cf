package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseValue turns a raw value into the type of its field. What was expected instead is returned for one that can't be.
func parseValue(s *setting, v raw) (parsed any, expected string) {
	if v.list != nil && !s.isList {
		return nil, "a single value, not a list"
	}
	switch s.ofField {
	case reflect.TypeFor[string]():
		return parseString(s, v.text)
	case reflect.TypeFor[time.Duration]():
		return parseBoundedDuration(s, v.text)
	case reflect.TypeFor[int]():
		return parseCount(s, v.text)
	case reflect.TypeFor[bool]():
		return parseSwitch(v.text)
	case reflect.TypeFor[KiB]():
		return parseBoundedSize(s, v.text)
	case reflect.TypeFor[Budget]():
		return parseBudget(v.text)
	case reflect.TypeFor[[]string]():
		return parseList(s, v)
	case reflect.TypeFor[[]netip.Prefix]():
		return parseNetworks(v)
	}
	panic("no parser for " + s.ofField.String()) // a field of Config of a new type; the tests of the table meet it first
}

func parseString(s *setting, text string) (any, string) {
	if s.one != nil {
		if !slices.Contains(s.one, text) {
			return nil, "one of " + strings.Join(s.one, ", ")
		}
		return text, ""
	}
	return text, checkKind(s.kind, text)
}

func parseCount(s *setting, text string) (any, string) {
	n, err := strconv.Atoi(text)
	if s.one != nil {
		if err != nil || !slices.Contains(s.one, text) {
			return nil, "one of " + strings.Join(s.one, ", ")
		}
		return n, ""
	}
	low, _ := strconv.Atoi(s.min)
	high, _ := strconv.Atoi(s.max)
	if err != nil || n < low || n > high {
		return nil, fmt.Sprintf("a whole number from %s to %s", s.min, s.max)
	}
	return n, ""
}

func parseSwitch(text string) (any, string) {
	switch text {
	case "true":
		return true, ""
	case "false":
		return false, ""
	}
	return nil, "true or false"
}

func parseBoundedDuration(s *setting, text string) (any, string) {
	low, _ := parseDuration(s.min)
	high, _ := parseDuration(s.max)
	d, ok := parseDuration(text)
	switch {
	case !ok:
		return nil, "a duration such as 90s, 15m, 12h or 30d"
	case d < low || d > high:
		return nil, fmt.Sprintf("a duration from %s to %s", s.min, s.max)
	case s.whole && d%time.Second != 0:
		return nil, "whole seconds"
	}
	return d, ""
}

// parseDuration reads Go's syntax with a leading number of days: 30d, 1d12h, 90s. No sign.
func parseDuration(text string) (time.Duration, bool) {
	days, rest, hasDays := strings.Cut(text, "d")
	var total time.Duration
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return total, true
		}
	} else {
		rest = text
	}
	if strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") {
		return 0, false
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d > 1<<62-total {
		return 0, false
	}
	return total + d, true
}

// formatDuration writes a duration the way that an operator would: 30d, 12h, 5m, 1m30s, 250ms.
func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	day := 24 * time.Hour
	text := ""
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.size; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit.name)
			d %= unit.size
		}
	}
	if d > 0 {
		text += d.String()
	}
	return text
}

func parseBudget(text string) (any, string) {
	const expected = "a count in a time, such as 10/10m, or 0 for no limit"
	if text == "0" {
		return Budget{}, ""
	}
	count, window, ok := strings.Cut(text, "/")
	if !ok {
		return nil, expected
	}
	n, err := strconv.Atoi(count)
	w, ok := parseDuration(window)
	if err != nil || !ok {
		return nil, expected
	}
	if n < 1 || n > 10_000 || w < time.Second || w > 30*24*time.Hour {
		return nil, "1 to 10000 in 1s to 30d, or 0 for no limit"
	}
	return Budget{Limit: n, Window: w}, ""
}

func parseBoundedSize(s *setting, text string) (any, string) {
	low, _ := parseSize(s.min)
	high, _ := parseSize(s.max)
	size, ok := parseSize(text)
	if !ok || size < low || size > high {
		return nil, fmt.Sprintf("a size from %s to %s, such as 19MiB or 19456KiB", s.min, s.max)
	}
	return size, ""
}

// parseSize reads 19MiB or 19456KiB; a bare number is KiB.
func parseSize(text string) (KiB, bool) {
	factor := uint64(1)
	for _, unit := range []struct {
		name string
		kib  uint64
	}{{"GiB", 1 << 20}, {"MiB", 1 << 10}, {"KiB", 1}} {
		if number, ok := strings.CutSuffix(text, unit.name); ok {
			text, factor = number, unit.kib
			break
		}
	}
	n, err := strconv.ParseUint(text, 10, 24)
	if err != nil {
		return 0, false
	}
	if n *= factor; n > 1<<31 {
		return 0, false
	}
	return KiB(n), true
}

// items splits a list as typed; a YAML sequence is split already.
func (v raw) items() []string {
	if v.list != nil {
		return v.list
	}
	var items []string
	for item := range strings.SplitSeq(v.text, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

func parseList(s *setting, v raw) (any, string) {
	var list []string
	for _, item := range v.items() {
		if expected := checkKind(s.kind, item); expected != "" {
			return nil, fmt.Sprintf("%s, but %q is not", expected, item)
		}
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list, ""
}

func parseNetworks(v raw) (any, string) {
	var list []netip.Prefix
	for _, item := range v.items() {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, fmt.Sprintf("networks such as 10.0.0.0/8, but %q is not", item)
		}
		if p != p.Masked() {
			return nil, fmt.Sprintf("a network such as %s, but %q names a host in it", p.Masked(), item)
		}
		list = append(list, p)
	}
	return list, ""
}

// formatValue writes a field as it could be typed. "" is unset.
func formatValue(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case string:
		return value
	case time.Duration:
		return formatDuration(value)
	case bool:
		return strconv.FormatBool(value)
	case int:
		return strconv.Itoa(value)
	case KiB:
		if value%1024 == 0 {
			return fmt.Sprintf("%dMiB", value/1024)
		}
		return fmt.Sprintf("%dKiB", value)
	case Budget:
		if value.Limit == 0 {
			return "0"
		}
		return fmt.Sprintf("%d/%s", value.Limit, formatDuration(value.Window))
	case []string:
		return strings.Join(value, ",")
	case []netip.Prefix:
		texts := make([]string, len(value))
		for i, p := range value {
			texts[i] = p.String()
		}
		return strings.Join(texts, ",")
	}
	panic("no format for " + v.Type().String()) // as in parseValue
}
