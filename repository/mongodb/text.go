package mongodb

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// registry encodes as the driver does, but refuses strings that are not UTF-8: BSON can't hold them, and servers that
// repaired them would make two ids one.
func registry() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterKindEncoder(reflect.String, bson.ValueEncoderFunc(encodeText))
	return r
}

func encodeText(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
	if v.Kind() != reflect.String {
		return fmt.Errorf("a %s is not a string", v.Kind())
	}
	if !utf8.ValidString(v.String()) {
		return errNotText
	}
	return w.WriteString(v.String())
}

// readable repairs text that is only ever shown, such as a User-Agent, so that a strange byte in it fails nothing.
func readable(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
