package onnx

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { malloc_trim(0); }
// #else
// static void trim(void) {}
// #endif
import "C"

import "golang.org/x/sys/unix"

// trim gives freed native memory back to the system, which glibc does not do by itself.
func trim() { C.trim() }

func memfd() (int, error) { return unix.MemfdCreate("model.onnx", unix.MFD_CLOEXEC) }
