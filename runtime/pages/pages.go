// Package pages lets a process that rests keep no more memory than rest needs.
//
// Release gives back what was freed, by Go and by C alike, and lets go of the pages of program and libraries that are only
// ever read: code, constants, the tables of Go's runtime. Starting touches tens of megabytes of them that serving never
// needs again. They stay in the page cache as long as the system likes, and whoever needs one finds it there; the process
// no longer holds on to it. Nothing that was written is touched: a segment of a file that may be written, or was for
// relocation, stays as it is.
//
// Any goroutine may call Release at any time. It collects garbage, so it belongs where nobody waits for an answer, and the
// first work after it pays some hundred page faults, a millisecond in all.
package pages

/*
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static int relocated(const ElfW(Dyn) *d) {
	for (; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL))) return 1;
	return 0;
}

// Called for the program and each library, while none can be opened or closed.
static int let_go(struct dl_phdr_info *o, size_t size, void *page) {
	uintptr_t mask = ~((uintptr_t)page - 1);
	for (int i = 0; i < o->dlpi_phnum; i++)
		if (o->dlpi_phdr[i].p_type == PT_DYNAMIC && relocated((const ElfW(Dyn) *)(o->dlpi_addr + o->dlpi_phdr[i].p_vaddr))) return 0;
	for (int i = 0; i < o->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &o->dlpi_phdr[i];
		if (h->p_type != PT_LOAD || h->p_flags & PF_W) continue;
		uintptr_t from = o->dlpi_addr + h->p_vaddr, to = from + h->p_memsz;
		from &= mask, to = (to + ~mask) & mask;
		madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

static void release(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	dl_iterate_phdr(let_go, (void *)sysconf(_SC_PAGESIZE));
}
*/
import "C"

import "runtime/debug"

// Release gives back what this process does not need at rest. See the package comment.
func Release() {
	debug.FreeOSMemory()
	C.release()
}
