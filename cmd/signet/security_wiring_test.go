package main

import (
	"reflect"
	"testing"
)

// Every setting of the issuer's is wired to the configuration.
func TestEverySettingReachesTheIssuer(t *testing.T) {
	l, err := load(input{environ: []string{"SIGNET_ISSUER=https://id.example.org", "SIGNET_SIMPLEJWT_COMPAT=true"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(l.provider())
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() {
			t.Errorf("%s does not reach the issuer", name)
		}
	}
}
