package keys

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
)

// kekWatch reads the KEK file again when its content changes. A file that can't be read or parsed changes nothing.
type kekWatch struct {
	path   string
	sealer *Sealer

	mu      sync.Mutex
	seen    [sha256.Size]byte
	refused string // the refusal last told of
}

// reread says whether the sealer has other KEKs now; the error is new, not one that was told of before.
func (w *kekWatch) reread() (replaced bool, err error) {
	if w.path == "" {
		return false, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	content, err := readKEKFile(w.path)
	if err != nil {
		return false, w.tellOnce(err)
	}
	sum := sha256.Sum256(content)
	if sum == w.seen {
		w.refused = ""
		return false, nil
	}
	keks, err := parseKEKs(content)
	if err != nil {
		return false, w.tellOnce(fmt.Errorf("KEK file %s: %w", w.path, err))
	}
	before := w.sealer.KEKIDs()
	if err := w.sealer.Replace(keks); err != nil {
		return false, w.tellOnce(err)
	}
	w.seen, w.refused = sum, ""
	return !slices.Equal(before, w.sealer.KEKIDs()), nil
}

func (w *kekWatch) tellOnce(err error) error {
	if err.Error() == w.refused {
		return nil
	}
	w.refused = err.Error()
	return err
}

// rereadKEKs is reread with its events.
func (r *Replica) rereadKEKs() (replaced bool) {
	replaced, err := r.keks.reread()
	if err != nil {
		r.tell(Event{Kind: EventKEKFileRefused, Err: err})
	}
	if replaced {
		r.tell(Event{Kind: EventKEKsReplaced})
	}
	return replaced
}
