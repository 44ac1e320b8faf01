package slot

import (
	"os"
	"syscall"
)

// ficlone is FICLONE of linux/fs.h.
const ficlone = 0x40049409

// share gives out the blocks of in, on file systems that can (Btrfs, XFS).
func share(out, in *os.File) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, out.Fd(), ficlone, in.Fd()); e != 0 {
		return e
	}
	return nil
}

// identity is what changes when a file is replaced or written.
func identity(st os.FileInfo) (inode uint64, changed int64) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return sys.Ino, sys.Ctim.Nano()
	}
	return 0, 0
}
