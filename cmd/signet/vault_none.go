//go:build !pkcs11

package main

import "errors"

const hasPKCS11 = false

func openToken(_, _, _ string) (hsm, error) { return nil, errors.New("expected " + noPKCS11) }

func refusesPIN(error) bool { return false }
