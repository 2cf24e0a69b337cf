package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"signet/keys"
)

// makeKeyFile writes a new private key to a file of dir (PKCS #8 in PEM), for an import.
func makeKeyFile(dir string, alg keys.Algorithm, n int) (name string, err error) {
	var pair crypto.Signer
	if alg == keys.ES256 {
		pair, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		pair, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return "", err
	}
	name = filepath.Join(dir, fmt.Sprintf("key%d.pem", n))
	return name, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
