package issuer

import (
	"context"
	"fmt"
	"unicode/utf8"
)

// mostListed bounds a page of a list.
const mostListed = 200

// longestPlace bounds the id of a place that a client gives back; every id that is listed is shorter.
const longestPlace = 512

// pageOf is one page of a list. One more than limit is asked for, so that the last page knows that it is the last.
// Errors: invalid_request for a limit out of 1 to 200 or a place that no list has, unavailable.
func pageOf[T any](ctx context.Context, after Place, limit int, place func(T) Place, list func(after Place, limit int) ([]T, error)) (Page[T], error) {
	var f fields
	if limit < 1 || limit > mostListed {
		f.add("limit", fmt.Sprintf("must be 1 to %d", mostListed))
	}
	if len(after.ID) > longestPlace || !utf8.ValidString(after.ID) {
		f.add("cursor", "must be one that a list gave")
	}
	if err := f.err(); err != nil {
		return Page[T]{}, err
	}
	items, err := again(ctx, func() ([]T, error) { return list(after, limit+1) })
	if err != nil {
		return Page[T]{}, err
	}
	page := Page[T]{Items: items}
	if len(items) > limit {
		next := place(items[limit-1])
		page.Items, page.Next = items[:limit], &next
	}
	return page, nil
}
