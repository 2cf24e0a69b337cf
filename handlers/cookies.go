package handlers

import (
	"net/http"
	"time"
)

// Cookie mode keeps the refresh token where no script can read it. The cookie's name promises that it was set by
// this host alone, over https, for all its paths (`__Host-`, RFC 6265bis, section 4.1.3.2). An http issuer, which is only ever on loopback,
// can't promise that and uses the bare name.

// deviceAge is how long a device is remembered: 400 days, the most that browsers grant.
const deviceAge = 400 * 24 * time.Hour

func (a *api) cookieName(bare string) string {
	if a.https {
		return "__Host-" + bare
	}
	return bare
}

// cookie is the value of one of our cookies, "" for none. What is too long to be ours is none.
func (a *api) cookie(r *http.Request, bare string) string {
	c, err := r.Cookie(a.cookieName(bare))
	if err != nil || len(c.Value) > maxText {
		return ""
	}
	return c.Value
}

func (a *api) refreshCookie(r *http.Request) string { return a.cookie(r, "signet_refresh") }

func (a *api) deviceCookie(r *http.Request) string { return a.cookie(r, "signet_device") }

// setRefreshCookie keeps a refresh token for as long as it lives, in seconds.
func (a *api) setRefreshCookie(w http.ResponseWriter, token string, seconds int64) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName("signet_refresh"), Value: token, Path: "/", MaxAge: int(max(seconds, 1)),
		Secure: a.https, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// clearRefreshCookie makes the browser forget it.
func (a *api) clearRefreshCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName("signet_refresh"), Path: "/", MaxAge: -1, Secure: a.https, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// clearDeviceCookie makes the browser forget the device.
func (a *api) clearDeviceCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName("signet_device"), Path: "/", MaxAge: -1, Secure: a.https, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// setDeviceCookie remembers the device. Lax, so that a sign-in page reached by a link knows it too.
func (a *api) setDeviceCookie(w http.ResponseWriter, token string) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName("signet_device"), Value: token, Path: "/", MaxAge: int(deviceAge.Seconds()),
		Secure: a.https, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
