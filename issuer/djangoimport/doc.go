// Package djangoimport reads accounts from what Django can be made to write: `manage.py dumpdata` (JSON, or JSON lines), and CSV or JSON
// lines with the columns of a user table. It streams: a row at a time, whatever the size of the file. It knows no store, and it leaves it to
// whoever makes accounts whether an address, a name, an id or a password hash can be had; what it says of a row is whether its fields are there
// and of the right type.
package djangoimport
