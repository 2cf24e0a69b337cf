//go:build pkcs11

package main

import (
	"errors"

	"signet/keys/pkcs11"
)

const hasPKCS11 = true

func openToken(module, label, pin string) (hsm, error) {
	t, err := pkcs11.New(pkcs11.Config{Module: module, Token: label, PIN: pin})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func refusesPIN(err error) bool { return errors.Is(err, pkcs11.ErrPIN) }
