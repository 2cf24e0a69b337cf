package mail

import (
	"regexp"
	"strings"
)

// sign is a word in a User-Agent and what it stands for. Order matters: most browsers claim to be several others.
type sign struct{ word, name string }

var apps = []sign{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Opera", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
	{"YaBrowser/", "Yandex Browser"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"},
	{"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Version/", "Safari"}, {"Safari/", "Safari"},
}

var systems = []sign{
	{"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
	{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"Darwin", "macOS"}, {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"},
	{"Linux", "Linux"}, {"X11", "Linux"},
}

// product is the name before the version in a User-Agent of RFC 9110 section 10.1.5, as far as it is harmless: letters and
// hyphens alone can't be a link, an address, a telephone number or a sentence.
var product = regexp.MustCompile(`^([A-Za-z][A-Za-z-]{1,23})(?:/|$)`)

// describeDevice names the app and system of a User-Agent, like "Firefox on Linux". What it can't name is left out: whoever
// sends the header chooses its text.
func describeDevice(p phrases, userAgent string) string {
	userAgent = userAgent[:min(len(userAgent), 512)]
	app, system := find(apps, userAgent), find(systems, userAgent)
	if app == "" {
		if m := product.FindStringSubmatch(userAgent); m != nil && m[1] != "Mozilla" {
			app = m[1]
		}
	}
	switch {
	case app != "" && system != "":
		return p.say("device_on", "app", app, "system", system)
	case app != "":
		return app
	case system != "":
		return system
	}
	return p.say("device_unknown")
}

func find(signs []sign, text string) string {
	for _, s := range signs {
		if strings.Contains(text, s.word) {
			return s.name
		}
	}
	return ""
}
