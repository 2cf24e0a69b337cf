package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/keys"
)

// hsm is a hardware token that keeps private keys (vault_pkcs11.go).
type hsm interface {
	keys.Vault
	Check(ctx context.Context) error // asks it whether it is there and lets us in
	Close()
}

// Values of SIGNET_KEY_MAKER.
const (
	makerSoftware = "software"
	makerPKCS11   = "pkcs11"
)

// openVault opens the token that keys are kept in; nil when none is configured. Only its library is loaded: a token that is away is no error.
func (c *Config) openVault() (hsm, error) {
	if c.PKCS11Module == "" {
		if c.KeyMaker == makerPKCS11 {
			return nil, errors.New("SIGNET_KEY_MAKER is pkcs11, but SIGNET_PKCS11_MODULE is not set")
		}
		return nil, nil
	}
	t, err := openToken(c.PKCS11Module, c.PKCS11Token, c.PKCS11PIN)
	if err != nil {
		return nil, fmt.Errorf("SIGNET_PKCS11_MODULE: %w", err)
	}
	return t, nil
}

// keeping says where private halves are kept, given the token or nil.
func (c *Config) keeping(t hsm) keys.Keeping {
	k := keys.Keeping{Software: c.KeyMaker == makerSoftware}
	if t != nil {
		k.Vault = t
	}
	return k
}

// checkPKCS11: module, token and PIN come together, and only where this binary can use them.
func (l *loaded) checkPKCS11(known faults, missing, wrong func(key, expected string)) {
	given := map[string]string{"pkcs11_module": l.PKCS11Module, "pkcs11_token": l.PKCS11Token, "pkcs11_pin": l.PKCS11PIN}
	some := false
	for key, value := range given {
		some = some || value != "" || known.has(key)
	}
	for _, key := range []string{"pkcs11_module", "pkcs11_token", "pkcs11_pin"} {
		switch {
		case some && !hasPKCS11 && given[key] != "":
			wrong(key, noPKCS11)
		case some && hasPKCS11 && given[key] == "":
			missing(key, "a value, because keys are to be kept in a PKCS #11 token: module, token and PIN come together")
		}
	}
	if l.KeyMaker == makerPKCS11 && !some {
		wrong("key_maker", "SIGNET_PKCS11_MODULE, SIGNET_PKCS11_TOKEN and SIGNET_PKCS11_PIN besides")
	}
	if some && hasPKCS11 && l.PKCS11Module != "" && l.PKCS11Token != "" && l.PKCS11PIN != "" {
		if _, err := l.openVault(); err != nil {
			wrong("pkcs11_module", "a PKCS #11 library: "+oneLineOf(errors.Unwrap(err)))
		}
	}
}

const noPKCS11 = "nothing: this signet was built without PKCS #11. Build it with: CGO_ENABLED=1 go build -tags pkcs11 ./cmd/signet"

// vaultTime bounds the first word with a token.
const vaultTime = 10 * time.Second

// startVault opens the token and logs in. One that is away now only keeps this replica from being ready; a PIN that is refused ends the start, because
// tokens lock themselves after a few.
func (s *server) startVault(ctx context.Context) (keys.Keeping, error) {
	t, err := s.config.openVault()
	if err != nil || t == nil {
		return s.config.keeping(nil), err
	}
	s.vault = t
	ctx, cancel := context.WithTimeout(ctx, vaultTime)
	defer cancel()
	switch err := t.Check(ctx); {
	case refusesPIN(err):
		return keys.Keeping{}, fmt.Errorf("SIGNET_PKCS11_PIN: %w", err)
	case err != nil:
		s.log.Error().Str("event", "keys.vault_away").Err(err).Msg("the token that keeps the keys is away")
	default:
		s.log.Info().Str("event", "keys.vault").Str("token", s.config.PKCS11Token).Msg("keys are kept in a token")
	}
	return s.config.keeping(t), nil
}

func (s *server) closeVault() {
	if s.vault != nil {
		s.vault.Close()
	}
}

// untouched is a vault that nothing is made in nor taken from: doctor's.
type untouched struct{ keys.Vault }

// Destroy destroys nothing.
func (untouched) Destroy(context.Context, string) (bool, error) { return false, nil }

// examined is where doctor looks for private halves: it uses those that are there, and changes nothing.
func (c *Config) examined(t hsm) keys.Keeping {
	if t == nil {
		return c.keeping(nil)
	}
	return keys.Keeping{Vault: untouched{t}, Software: true}
}

// checkVault asks the token whether it lets us in; nothing is found where none is configured.
func checkVault(ctx context.Context, c *Config) (hsm, []finding) {
	t, err := c.openVault()
	if err != nil {
		return nil, []finding{fail("hsm", "see that SIGNET_PKCS11_MODULE names the vendor's library, for this machine", "%s", oneLineOf(err))}
	}
	if t == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, vaultTime)
	defer cancel()
	switch err := t.Check(ctx); {
	case refusesPIN(err):
		return t, []finding{fail("hsm", "mend SIGNET_PKCS11_PIN before the token locks itself", "%s", oneLineOf(err))}
	case err != nil:
		return t, []finding{fail("hsm", "see that the token is there; until then this replica signs nothing", "%s", oneLineOf(err))}
	}
	return t, []finding{ok("hsm", "the token %q answers", c.PKCS11Token)}
}
