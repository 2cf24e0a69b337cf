package conformance_test

import (
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
	"signet/repository/sqlite"
)

func open(t *testing.T) conformance.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestWrappersConform: without a fault, a wrapped store is as good as the store.
func TestWrappersConform(t *testing.T) {
	open := func(t *testing.T) conformance.Store {
		return conformance.Counting(conformance.Faulty(open(t), conformance.At(0, conformance.CrashBefore)))
	}
	conformance.Run(t, conformance.Harness{Open: open, Reopen: func(_ *testing.T, s conformance.Store) conformance.Store { return s }})
}

// count raises a counter, whose value tells how often an operation took place.
func count(t *testing.T, s conformance.Store) (int64, error) {
	return s.CountSource(t.Context(), "key", time.Now().Add(time.Hour))
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   conformance.Fault
		answer  int64
		applied int64
	}{
		{"none", conformance.None, 1, 1},
		{"crash before", conformance.CrashBefore, 0, 0},
		{"answer lost", conformance.AnswerLost, 0, 1},
		{"twice", conformance.Twice, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			n, err := count(t, conformance.Faulty(s, conformance.At(1, c.fault)))
			if n != c.answer {
				t.Errorf("answer %d, want %d", n, c.answer)
			}
			if failed := errors.Is(err, conformance.ErrInjected) && errors.Is(err, issuer.ErrUnknown); failed != (c.answer == 0) {
				t.Errorf("error %v", err)
			}
			if n, err := count(t, s); n != c.applied+1 || err != nil {
				t.Errorf("applied %d times, want %d: %v", n-1, c.applied, err)
			}
		})
	}
}

func TestPlans(t *testing.T) {
	var seen []bool
	s := conformance.Faulty(open(t), conformance.From(3, conformance.CrashBefore))
	for range 4 {
		_, err := count(t, s)
		seen = append(seen, err == nil)
	}
	if !reflect.DeepEqual(seen, []bool{true, true, false, false}) {
		t.Errorf("From(3): answered %v", seen)
	}
	twice := conformance.Faulty(open(t), func(op string, _ int) conformance.Fault {
		if op == "InsertUser" {
			return conformance.Twice
		}
		return conformance.None
	})
	if err := twice.InsertUser(t.Context(), issuer.User{ID: "u"}); !errors.Is(err, issuer.ErrExists) {
		t.Errorf("an insert that arrives twice is answered %v", err)
	}
}

func TestCounting(t *testing.T) {
	s := conformance.Counting(open(t))
	_, _ = count(t, s)
	_, _ = s.User(t.Context(), "nobody")
	_, _ = s.User(t.Context(), "nobody")
	s.StaleReads()
	if got, want := s.Operations(), map[string]int{"CountSource": 1, "User": 2}; !maps.Equal(got, want) || s.Total() != 3 {
		t.Errorf("counted %v, want %v", got, want)
	}
	if s.Reset(); s.Total() != 0 {
		t.Errorf("after a reset: %v", s.Operations())
	}
}

// TestEveryOperationHasItsName calls every method of a wrapper and looks for a fault under the method's own name.
func TestEveryOperationHasItsName(t *testing.T) {
	var op string
	s := reflect.ValueOf(conformance.Faulty(open(t), func(name string, _ int) conformance.Fault { op = name; return conformance.CrashBefore }))
	for i := range s.NumMethod() {
		name, method := s.Type().Method(i).Name, s.Method(i)
		if name == "StaleReads" || name == "EffectDelay" {
			continue
		}
		args := []reflect.Value{reflect.ValueOf(t.Context())}
		for a := 1; a < method.Type().NumIn(); a++ {
			args = append(args, reflect.Zero(method.Type().In(a)))
		}
		results := method.Call(args)
		err, _ := results[len(results)-1].Interface().(error)
		if op != name || !errors.Is(err, conformance.ErrInjected) {
			t.Errorf("%s is called %q and answers %v", name, op, err)
		}
	}
}
