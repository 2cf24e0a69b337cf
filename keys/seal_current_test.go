package keys

import "testing"

// A blob is current while the first KEK is the one that sealed it; what is no blob is not.
func TestSealerCurrent(t *testing.T) {
	old, both, next := testSealer(), testSealer(), testSealer()
	for s, keks := range map[*Sealer][]KEK{both: {testKEK(2), testKEK(1)}, next: {testKEK(2)}} {
		if err := s.Replace(keks); err != nil {
			t.Fatal(err)
		}
	}
	before, err := old.Seal([]byte("x"), "a")
	if err != nil {
		t.Fatal(err)
	}
	after, err := both.Seal([]byte("x"), "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s      *Sealer
		sealed []byte
		want   bool
	}{
		{old, before, true}, {both, before, false}, {next, before, false},
		{old, after, false}, {both, after, true}, {next, after, true},
		{old, nil, false}, {old, before[:sealHeader], false}, {old, append([]byte{9}, before[1:]...), false},
	} {
		if got := c.s.Current(c.sealed); got != c.want {
			t.Errorf("%x for %v: %v", c.sealed, c.s.KEKIDs(), got)
		}
	}
}
