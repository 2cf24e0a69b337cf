package main

import "strings"

const mask = "***"

// masked is what may be shown of a value: all of it, or of a secret's URL only what is not one.
func masked(s *setting, text string) string {
	if !s.secret || text == "" {
		return text
	}
	return maskURL(text)
}

// maskURL hides passwords in a URL without parsing it, because what is shown most often is one that can't be parsed: everything between
// the user's name and the last @, and the value of every option but those known to be harmless. A text that is no URL is hidden whole.
func maskURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !isScheme(scheme) {
		return mask
	}
	rest, options, hasOptions := strings.Cut(rest, "?")
	if strings.Contains(options, "@") {
		return scheme + "://" + mask
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, hasPassword := strings.Cut(rest[:at], ":")
		if hasPassword {
			user += ":" + mask
		} else {
			user = mask // a lone token is as good as a password
		}
		rest = user + rest[at:]
	}
	if !hasOptions {
		return scheme + "://" + rest
	}
	shown := make([]string, 0, 4)
	for option := range strings.SplitSeq(options, "&") {
		name, _, _ := strings.Cut(option, "=")
		if harmlessOptions[strings.ToLower(name)] {
			shown = append(shown, option)
		} else {
			shown = append(shown, name+"="+mask)
		}
	}
	return scheme + "://" + rest + "?" + strings.Join(shown, "&")
}

func isScheme(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+'
	})
}

// harmlessOptions of a MongoDB URI hold no secret.
var harmlessOptions = map[string]bool{
	"authsource": true, "authmechanism": true, "directconnection": true, "replicaset": true, "tls": true, "ssl": true,
	"w": true, "journal": true, "wtimeoutms": true, "readpreference": true, "readconcernlevel": true, "retrywrites": true,
	"retryreads": true, "maxpoolsize": true, "minpoolsize": true, "connecttimeoutms": true, "sockettimeoutms": true,
	"serverselectiontimeoutms": true, "timeoutms": true, "appname": true, "auth": true, "compressors": true, "loadbalanced": true,
}
