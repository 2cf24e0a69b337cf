package djangoimport

import (
	"strings"
	"time"
)

// Row is an account as the file has it.
type Row struct {
	Line       int64  // of the file, where the row begins; the first is 1
	ID         string // the primary key, as text; "" when there is none
	Email      string // "" for none
	Username   string // "" for none
	Password   string // the encoded hash; "" for none, and for one that Django calls unusable
	GivenName  string
	FamilyName string
	Active     bool
	Staff      bool
	Superuser  bool
	DateJoined time.Time // UTC; zero when there is none
	LastLogin  time.Time // UTC; zero for never
	Faults     []Fault   // nil when every field has the right type
}

// Fault is what is wrong with a field of a row. It does not repeat the value.
type Fault struct{ Field, Reason string }

// record is a row's fields as JSON or a table has them; of a field with two names either may be there.
type record struct {
	ID          value `json:"id"`
	Email       value `json:"email"`
	Username    value `json:"username"`
	Password    value `json:"password"`
	FirstName   value `json:"first_name"`
	LastName    value `json:"last_name"`
	GivenName   value `json:"given_name"`
	FamilyName  value `json:"family_name"`
	IsActive    value `json:"is_active"`
	IsStaff     value `json:"is_staff"`
	IsSuperuser value `json:"is_superuser"`
	DateJoined  value `json:"date_joined"`
	CreatedAt   value `json:"created_at"`
	LastLogin   value `json:"last_login"`
	LastLoginAt value `json:"last_login_at"`
}

// columns are the record's fields by their names in a table.
func (r *record) columns() map[string]*value {
	return map[string]*value{
		"id": &r.ID, "pk": &r.ID, "email": &r.Email, "username": &r.Username, "password": &r.Password, "first_name": &r.FirstName, "last_name": &r.LastName,
		"given_name": &r.GivenName, "family_name": &r.FamilyName, "is_active": &r.IsActive, "is_staff": &r.IsStaff, "is_superuser": &r.IsSuperuser,
		"date_joined": &r.DateJoined, "created_at": &r.CreatedAt, "last_login": &r.LastLogin, "last_login_at": &r.LastLoginAt,
	}
}

// row reads the fields by their types.
func (r *record) row(line int64, pk value) Row {
	out := Row{Line: line}
	f := faults{&out}
	out.ID = f.id("id", pk)
	out.Email = strings.TrimSpace(f.text("email", r.Email))
	out.Username = f.text("username", r.Username)
	out.Password = f.text("password", r.Password)
	if strings.HasPrefix(out.Password, "!") { // django.contrib.auth.hashers.UNUSABLE_PASSWORD_PREFIX
		out.Password = ""
	}
	out.GivenName = f.text("first_name", either(r.FirstName, r.GivenName))
	out.FamilyName = f.text("last_name", either(r.LastName, r.FamilyName))
	out.Active = f.flag("is_active", r.IsActive, true)
	out.Staff = f.flag("is_staff", r.IsStaff, false)
	out.Superuser = f.flag("is_superuser", r.IsSuperuser, false)
	out.DateJoined = f.time("date_joined", either(r.DateJoined, r.CreatedAt))
	out.LastLogin = f.time("last_login", either(r.LastLogin, r.LastLoginAt))
	return out
}

func either(a, b value) value {
	if a.none() {
		return b
	}
	return a
}
