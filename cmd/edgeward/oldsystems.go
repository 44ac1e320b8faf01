//go:build linux && amd64 && cgo

package main

// DuckDB's static library is linked against the libstdc++ of the machine that builds. On GCC 12 that costs one symbol,
// std::condition_variable::wait of GLIBCXX_3.4.30, which RHEL 9 lacks; its older self of GLIBCXX_3.4.11 does the same
// and is in every libstdc++. The linker is told to use that one. TestBinaryIsOneFileThatNeedsOnlyTheCLibraries prints
// what the program needs in the end.

/*
#cgo LDFLAGS: -Wl,--wrap=_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE -lstdc++

__asm__(".symver edgeward_wait, _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");
extern void edgeward_wait(void *condition, void *lock);

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(void *condition, void *lock) {
	edgeward_wait(condition, lock);
}
*/
import "C"
