// Package softhsm makes SoftHSM tokens for tests, each in a folder of its own, with a module of its own. It is built with the tag pkcs11.
package softhsm
