package djangoimport

import (
	"bytes"
	"testing"
)

// FuzzReader: whatever is in a file, it is read to an end, in lines that go up, with an id or a fault in every row.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		`[{"model":"auth.user","pk":1,"fields":{"email":"a@example.org","is_staff":true,"last_login":"2024-05-01T10:30:00Z"}}]`,
		`{"id":"7","email":"a@example.org","password":"!x","date_joined":null}`,
		"id,email,is_active\n1,\"a@example.org\",f\n",
	} {
		f.Add(byte(0), []byte(seed))
	}
	formats := []Format{Auto, Dumpdata, JSONL, CSV}
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		in, err := NewReader(bytes.NewReader(data), Options{Format: formats[int(format)%len(formats)]})
		var last int64
		for rows := 0; err == nil; rows++ {
			var row Row
			if row, err = in.Next(); err != nil {
				break
			}
			if row.ID == "" && len(row.Faults) == 0 || row.Line < last || row.Line < 1 || rows > len(data) {
				t.Fatalf("row %d: %+v", rows, row)
			}
			last = row.Line
		}
		if in != nil && in.Offset() > int64(len(data)) {
			t.Fatalf("%d bytes of %d", in.Offset(), len(data))
		}
	})
}
