//go:build pkcs11

package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// scheme of the references, as RFC 7512 has it.
const scheme = "pkcs11"

// reference names a private key: the token's label and the key's CKA_ID. As text it is a PKCS #11 URI (RFC 7512, section 2.3), that other tools
// take too: pkcs11:token=signet;id=%01%AB;type=private.
type reference struct {
	token string
	id    []byte
}

func (r reference) String() string {
	var b strings.Builder
	b.WriteString(scheme + ":token=")
	for _, c := range []byte(r.token) {
		if strings.IndexByte("-_.", c) >= 0 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	b.WriteString(";id=")
	for _, c := range r.id {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	b.WriteString(";type=private")
	return b.String()
}

// parseReference reads what String wrote, and nothing else.
func parseReference(text string) (reference, error) {
	wrong := errors.New("not a reference to a key in a PKCS #11 token")
	rest, ok := strings.CutPrefix(text, scheme+":token=")
	if !ok {
		return reference{}, wrong
	}
	rest, ok = strings.CutSuffix(rest, ";type=private")
	label, id, found := strings.Cut(rest, ";id=")
	if !ok || !found {
		return reference{}, wrong
	}
	token, err := unescape(label)
	if err != nil {
		return reference{}, wrong
	}
	raw, err := unescape(id)
	if err != nil {
		return reference{}, wrong
	}
	r := reference{token: string(token), id: raw}
	if len(r.id) == 0 || r.token == "" || r.String() != text {
		return reference{}, wrong
	}
	return r, nil
}

func unescape(text string) ([]byte, error) {
	var out []byte
	for len(text) > 0 {
		if text[0] != '%' {
			out, text = append(out, text[0]), text[1:]
			continue
		}
		if len(text) < 3 {
			return nil, hex.ErrLength
		}
		b, err := hex.DecodeString(text[1:3])
		if err != nil {
			return nil, err
		}
		out, text = append(out, b...), text[3:]
	}
	return out, nil
}
