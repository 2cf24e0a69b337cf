package openapitest

import (
	"errors"
	"fmt"

	faults "github.com/pb33f/libopenapi-validator/errors"
)

// told is what a validator found, in one error.
func told(all []*faults.ValidationError) error {
	var list []error
	for _, f := range all {
		list = append(list, fmt.Errorf("%s: %s", f.Message, f.Reason))
		for _, s := range f.SchemaValidationErrors {
			list = append(list, fmt.Errorf("  %s %s: %s", s.FieldPath, s.KeywordLocation, s.Reason))
		}
	}
	return errors.Join(list...)
}
