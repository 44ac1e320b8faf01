//go:build !linux

package store

import "errors"

// freeBytes is not known here; a full disk is then found by the write that fails.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
