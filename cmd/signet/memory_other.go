//go:build !linux

package main

// dropCode is for Linux: elsewhere the system decides alone.
func dropCode() {}
