package handlers

import "strings"

// matchesETag says whether an If-None-Match header (RFC 9110, section 13.1.2) names etag: `*`, or a list whose members are
// compared weakly.
func matchesETag(lines []string, etag string) bool {
	for _, line := range lines {
		if line == etag {
			return true
		}
		if strings.TrimSpace(line) == "*" || listHasETag(line, strings.TrimPrefix(etag, "W/")) {
			return true
		}
	}
	return false
}

// listHasETag walks a list of entity tags. Commas may be inside of them.
func listHasETag(list, opaque string) bool {
	for {
		list = strings.TrimPrefix(strings.TrimLeft(list, " \t,"), "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == opaque {
			return true
		}
		list = list[end+2:]
	}
}
