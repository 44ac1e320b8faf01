package worker

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offline forbids this process, all of its threads and what it starts to make internet sockets: socket(2) with AF_INET or
// AF_INET6 fails with EACCES. What a library does on its own account (ONNX Runtime 1.31 wants to report its use to its
// maker) ends here. It cannot be taken back.
func offline() error {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("no filter for %s", runtime.GOARCH)
	}
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	const allow, refuse = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)
	// Offsets into struct seccomp_data: number 0, architecture 4, low half of the first argument 16.
	filter := []unix.SockFilter{
		{Code: load, K: 4},
		{Code: equal, K: arch, Jt: 1},
		{Code: ret, K: refuse}, // system calls of another architecture
		{Code: load, K: 0},
		{Code: equal, K: unix.SYS_SOCKET, Jf: 3},
		{Code: load, K: 16},
		{Code: equal, K: unix.AF_INET, Jt: 2},
		{Code: equal, K: unix.AF_INET6, Jt: 1},
		{Code: ret, K: allow},
		{Code: ret, K: refuse},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	return nil
}
