package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// tokenLimit is far above any header that an HTTP server takes.
const tokenLimit = 256 << 10

// readToken takes the token from the argument, or from standard input for "-", which keeps it out of the process list. White space
// around it, and a leading "Bearer ", are how tokens get pasted.
func (p *program) readToken(arg string) (string, error) {
	if arg == "-" {
		data, err := io.ReadAll(io.LimitReader(p.in, tokenLimit+1))
		if err != nil {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
		arg = string(data)
	}
	if len(arg) > tokenLimit {
		return "", fmt.Errorf("no token is larger than %d bytes", tokenLimit)
	}
	token := strings.TrimSpace(arg)
	token = strings.TrimSpace(strings.TrimPrefix(token, "Bearer "))
	if token == "" {
		return "", misused("the token is empty")
	}
	return token, nil
}

// decodedToken is a compact JWS (RFC 7515, section 7.1) taken apart. Nothing in it is believed.
type decodedToken struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}

// decodeToken takes a compact JWS apart without checking anything.
func decodeToken(token string) (decodedToken, error) {
	var d decodedToken
	if strings.HasPrefix(token, "srt_") {
		return d, fmt.Errorf("this is a refresh token: opaque to everybody but the issuer, and not a JWT")
	}
	parts := strings.Split(token, ".")
	if len(parts) == 5 {
		return d, fmt.Errorf("this is an encrypted token (five parts, RFC 7516); signet makes signed ones")
	}
	if len(parts) != 3 {
		return d, fmt.Errorf("a signed token has three parts between dots, and this has %d", len(parts))
	}
	if err := decodePart("header", parts[0], &d.Header); err != nil {
		return d, err
	}
	if err := decodePart("payload", parts[1], &d.Claims); err != nil {
		return d, err
	}
	return d, nil
}

func decodePart(what, part string, into *map[string]any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return fmt.Errorf("the %s is not base64url without padding", what)
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil || decoder.More() || *into == nil {
		return fmt.Errorf("the %s is not one JSON object", what)
	}
	return nil
}
