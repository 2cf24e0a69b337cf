package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/rogpeppe/go-internal/testscript"
)

// keyScripts are the commands of the stories about keys.
var keyScripts = map[string]func(*testscript.TestScript, bool, []string){
	"kid":        scriptKID,
	"onekid":     scriptOneKID,
	"makekey":    scriptMakeKey,
	"unseal":     scriptUnseal,
	"wellformed": scriptWellFormed,
	"refused":    scriptRefused,
}

// scriptKID: `kid STATE ALG NAME` sets $NAME to the kid of a key that `keys list` shows in that state, or with that mark.
func scriptKID(ts *testscript.TestScript, _ bool, args []string) {
	list := exec.Command("signet", "keys", "list", "--json")
	list.Dir = ts.MkAbs(".")
	list.Env = append(os.Environ(), "SIGNET_DATA_DIR="+ts.Getenv("SIGNET_DATA_DIR"))
	out, err := list.Output()
	ts.Check(err)
	var keys []map[string]any
	ts.Check(json.Unmarshal(out, &keys))
	for _, k := range keys {
		if k["alg"] == args[1] && (k["state"] == args[0] || k[args[0]] == true) {
			ts.Setenv(args[2], k["kid"].(string))
			return
		}
	}
	ts.Fatalf("no %s key is %s: %s", args[1], args[0], out)
}

// scriptOneKID: `onekid FILE ALG NAME` sets $NAME to the kid of a key of a JWK set.
func scriptOneKID(ts *testscript.TestScript, _ bool, args []string) {
	var set struct{ Keys []map[string]any }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &set))
	for _, k := range set.Keys {
		if k["alg"] == args[1] {
			ts.Setenv(args[2], k["kid"].(string))
			return
		}
	}
	ts.Fatalf("no %s key in %s", args[1], args[0])
}

// scriptMakeKey: `makekey FILE pkcs8|pkcs1|sec1|jwk p256|p384|BITS` makes a private key of its owner alone.
func scriptMakeKey(ts *testscript.TestScript, _ bool, args []string) {
	var pair crypto.Signer
	var err error
	switch args[2] {
	case "p256":
		pair, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		pair, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "1024":
		pair, err = rsa.GenerateKey(rand.Reader, 1024)
	default:
		pair, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	ts.Check(err)
	var text []byte
	switch args[1] {
	case "pkcs8":
		der, err := x509.MarshalPKCS8PrivateKey(pair)
		ts.Check(err)
		text = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	case "pkcs1":
		text = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pair.(*rsa.PrivateKey))})
	case "sec1":
		der, err := x509.MarshalECPrivateKey(pair.(*ecdsa.PrivateKey))
		ts.Check(err)
		text = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	case "jwk":
		k := pair.(*ecdsa.PrivateKey)
		point, err := k.PublicKey.Bytes()
		ts.Check(err)
		d, err := k.Bytes()
		ts.Check(err)
		part := base64.RawURLEncoding.EncodeToString
		text, err = json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": part(point[1:33]), "y": part(point[33:]), "d": part(d), "alg": "ES256", "use": "sig"})
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// scriptUnseal: `unseal FILE PASSPHRASEFILE OUT` opens what was exported, as the age tool does.
func scriptUnseal(ts *testscript.TestScript, _ bool, args []string) {
	identity, err := age.NewScryptIdentity(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(ts.ReadFile(args[0]))), identity)
	ts.Check(err)
	data, err := io.ReadAll(plain)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o600))
}

// scriptWellFormed: `wellformed FILE` reads a file as XML to its end.
func scriptWellFormed(ts *testscript.TestScript, _ bool, args []string) {
	d := xml.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			ts.Fatalf("%s: %v", args[0], err)
		}
	}
}

// scriptRefused: `refused URL TOKENFILE` waits until the server's own API refuses the token.
func scriptRefused(ts *testscript.TestScript, _ bool, args []string) {
	token := strings.TrimSpace(ts.ReadFile(args[1]))
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		request, err := http.NewRequest(http.MethodGet, args[0]+"/api/v1/me", nil)
		ts.Check(err)
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		ts.Check(err)
		answer.Body.Close()
		if answer.StatusCode == http.StatusUnauthorized {
			return
		}
	}
	ts.Fatalf("the token is accepted still")
}
