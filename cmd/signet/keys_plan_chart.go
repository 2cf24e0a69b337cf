package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"signet/keys"
)

// span is the time that a timeline shows.
type span struct{ from, to time.Time }

// spanOf reaches from the first publication to the last moment known of, and always some way beyond now.
func spanOf(plan keys.Plan) span {
	s := span{plan.Now, plan.Now.Add(time.Second)}
	for _, a := range plan.Algorithms {
		for _, k := range a.Keys {
			for _, at := range []*time.Time{&k.PublishedAt, k.SignsFrom, k.RetiredAt, k.DropsAt} {
				if at == nil {
					continue
				}
				if at.Before(s.from) {
					s.from = *at
				}
				if at.After(s.to) {
					s.to = *at
				}
			}
		}
	}
	s.to = s.to.Add(s.to.Sub(s.from) / 20)
	return s
}

// place is where a moment is in so many columns, held within them.
func (s span) place(at time.Time, columns int) int {
	at2 := at.Sub(s.from).Seconds() / s.to.Sub(s.from).Seconds()
	return min(max(int(at2*float64(columns)), 0), columns)
}

// layout is how a moment is written on the axis: as exactly as the span is short.
func (s span) layout() string {
	switch d := s.to.Sub(s.from); {
	case d < 10*time.Minute:
		return "15:04:05"
	case d < 72*time.Hour:
		return "Jan 2 15:04"
	default:
		return "2006-01-02"
	}
}

// phase is a part of a key's life.
type phase struct {
	state    keys.State
	from, to time.Time
}

// phasesOf are a key's published, signing and retired times, the future as planned; what has no end known ends with the span.
func phasesOf(k keys.KeyInfo, s span) []phase {
	end := func(at *time.Time) time.Time {
		if at == nil {
			return s.to
		}
		return *at
	}
	var list []phase
	add := func(state keys.State, from, to time.Time) {
		if to.After(from) {
			list = append(list, phase{state, from, to})
		}
	}
	signs, retired := end(k.SignsFrom), end(k.RetiredAt)
	if k.SignsFrom == nil { // never signed here
		signs = retired
	}
	add(keys.Published, k.PublishedAt, signs)
	if k.SignsFrom != nil {
		add(keys.Signing, signs, retired)
	}
	if k.RetiredAt != nil {
		add(keys.Retired, retired, end(k.DropsAt))
	}
	return list
}

var phaseMark = map[keys.State]byte{keys.Published: '.', keys.Signing: '=', keys.Retired: '-'}

// chartPlan draws the timeline in characters: a line a key.
func chartPlan(w io.Writer, plan keys.Plan, width int) {
	const label = 22 // a kid's beginning and the state
	s, columns := spanOf(plan), width-label
	fmt.Fprintf(w, "Timeline (UTC), ring version %d:  . published   = signing   - retired   | now\n", plan.RingVersion)
	for _, a := range plan.Algorithms {
		fmt.Fprintf(w, "\n%s\n", a.Algorithm)
		for _, k := range a.Keys {
			fmt.Fprintf(w, "  %-9s %-9s %s\n", shortKID(k.ID), k.State, strings.TrimRight(string(bar(k, plan.Now, s, columns)), " "))
		}
	}
	fmt.Fprintf(w, "\n%s%s\n", strings.Repeat(" ", label), axis(s, columns))
}

func bar(k keys.KeyInfo, now time.Time, s span, columns int) []byte {
	line := []byte(strings.Repeat(" ", columns))
	for _, p := range phasesOf(k, s) {
		from, to := s.place(p.from, columns), s.place(p.to, columns)
		for i := min(from, columns-1); i < max(to, from+1) && i < columns; i++ { // however short, it is seen
			line[i] = phaseMark[p.state]
		}
	}
	line[min(s.place(now, columns), columns-1)] = '|'
	return line
}

// axis writes as many moments as fit.
func axis(s span, columns int) string {
	layout := s.layout()
	each := len(layout) + 6
	line := []byte(strings.Repeat(" ", columns))
	for at := 0; at+len(layout)+2 <= columns; at += each {
		text := s.from.Add(time.Duration(float64(s.to.Sub(s.from)) * float64(at) / float64(columns))).UTC().Format(layout)
		copy(line[at:], "^"+text)
	}
	return strings.TrimRight(string(line), " ")
}

// shortKID is enough of a kid to tell it from others in one ring.
func shortKID(kid string) string { return kid[:min(len(kid), 9)] }
