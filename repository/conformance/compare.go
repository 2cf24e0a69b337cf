package conformance

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"signet/issuer"
)

// same fails unless got is want as a store may return it: times cut to the millisecond and in UTC, nil and empty
// slices alike.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	g, w := reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem()
	strange(t, what, g)
	if a, b := stored(g).Interface(), stored(w).Interface(); !reflect.DeepEqual(a, b) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, a, b)
	}
}

// sameInOrder is same for lists: first their ids, which say more than the documents.
func sameInOrder[T any](t *testing.T, what string, got, want []T, id func(T) string) {
	t.Helper()
	ids := func(list []T) (ids []string) {
		for _, v := range list {
			ids = append(ids, id(v))
		}
		return ids
	}
	same(t, what, ids(got), ids(want))
	for i := range min(len(got), len(want)) {
		if id(got[i]) == id(want[i]) {
			same(t, what+": "+id(got[i]), got[i], want[i])
		}
	}
}

// stored is a copy of v with the freedoms of a store taken out.
func stored(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		at := v.Interface().(time.Time).UTC()
		if !at.IsZero() {
			at = time.UnixMilli(at.UnixMilli()).UTC()
		}
		c.Set(reflect.ValueOf(at))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			c.Field(i).Set(stored(v.Field(i)))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(stored(v.Elem()))
	case v.Kind() == reflect.Slice && v.Len() > 0:
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(stored(v.Index(i)))
		}
	case v.Kind() != reflect.Slice:
		c.Set(v)
	}
	return c
}

// strange fails for times that no store may return.
func strange(t *testing.T, what string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		at := v.Interface().(time.Time)
		if at.Location() != time.UTC {
			t.Errorf("%s: the time %v is not in UTC", what, at)
		}
		if at.Nanosecond()%int(ms) != 0 {
			t.Errorf("%s: the time %v has more than milliseconds", what, at)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			strange(t, what+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		strange(t, what, v.Elem())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			strange(t, what, v.Index(i))
		}
	}
}

// whole fails if a field of v is zero: a sample that leaves a field out would not notice a store that loses it.
func whole[T any](t *testing.T, v T) T {
	t.Helper()
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if r.Field(i).IsZero() {
			t.Fatalf("the sample %T leaves out %s", v, r.Type().Field(i).Name)
		}
	}
	return v
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
	if want != issuer.ErrUnknown && errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("%s: %v says that the outcome is unknown, and it is known", what, err)
	}
}
