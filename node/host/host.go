// Package host says what machine this is and how busy it is. It is the only user of gopsutil.
//
// Read answers in a few milliseconds from /proc and never fails as a whole: what the system does not tell stays zero, and
// Missing names it. In a container the limits of the control group count, as far as the kernel shows them: Cores is what
// Go may use, Memory the smaller of machine and group.
package host

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"edgeward"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// Info is the machine at one moment. Sizes are bytes.
type Info struct {
	Hostname   string   `json:"hostname"`
	OS         string   `json:"os"`                 // "linux"
	Arch       string   `json:"arch"`               // "amd64"
	System     string   `json:"system"`             // "debian 12.7"
	Kernel     string   `json:"kernel"`             // "6.18.0"
	CPU        string   `json:"cpu"`                // "Intel(R) Xeon(R) …"
	Features   []string `json:"features,omitempty"` // of the processor, those that engines use: "avx2", "amx_int8"
	Cores      int      `json:"cores"`              // this process may use
	Memory     uint64   `json:"memory"`             // this process may use at most
	MemoryFree uint64   `json:"memory_free"`
	Disk       uint64   `json:"disk"` // file system of the data directory
	DiskFree   uint64   `json:"disk_free"`
	FileSystem string   `json:"file_system"`       // "ext4"
	Load       float64  `json:"load"`              // runnable tasks, mean of the last minute
	Uptime     uint64   `json:"uptime"`            // of the machine, seconds
	Resident   uint64   `json:"resident"`          // of this process
	Machine    string   `json:"-"`                 // id of the installed system
	Serial     string   `json:"-"`                 // of the machine, where its firmware may be read
	Missing    []string `json:"missing,omitempty"` // what the system did not tell
}

// used are the processor's features that engines make use of.
var used = []string{"sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
	"asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2"}

// Read returns the machine now. dir is the data directory; it must exist for the numbers of its disk.
func Read(ctx context.Context, dir string) Info {
	in := Info{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0)}
	missing := func(what string, err error) bool {
		if err != nil {
			in.Missing = append(in.Missing, what)
		}
		return err != nil
	}
	if h, err := host.InfoWithContext(ctx); !missing("system", err) {
		in.Hostname, in.Kernel, in.Uptime, in.Machine = h.Hostname, h.KernelVersion, h.Uptime, h.HostID
		in.System = strings.TrimSpace(h.Platform + " " + h.PlatformVersion)
	}
	if c, err := cpu.InfoWithContext(ctx); !missing("cpu", err) && len(c) > 0 {
		in.CPU = c[0].ModelName
		for _, f := range c[0].Flags {
			if slices.Contains(used, f) {
				in.Features = append(in.Features, f)
			}
		}
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); !missing("memory", err) {
		in.Memory, in.MemoryFree = m.Total, m.Available
		if limit := groupMemory(); limit > 0 && limit < in.Memory {
			in.Memory, in.MemoryFree = limit, min(in.MemoryFree, limit)
		}
	}
	if d, err := disk.UsageWithContext(ctx, dir); !missing("disk", err) {
		in.Disk, in.DiskFree, in.FileSystem = d.Total, d.Free, d.Fstype
	}
	if l, err := load.AvgWithContext(ctx); !missing("load", err) {
		in.Load = l.Load1
	}
	if p, err := process.NewProcessWithContext(ctx, int32(os.Getpid())); !missing("process", err) {
		if m, err := p.MemoryInfoWithContext(ctx); !missing("process", err) {
			in.Resident = m.RSS
		}
	}
	in.Serial = serial()
	return in
}

// serial is the machine's serial number. Linux shows it to root only.
func serial() string {
	for _, file := range []string{"/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/board_serial", "/sys/firmware/devicetree/base/serial-number"} {
		b, err := os.ReadFile(file)
		if s := strings.Trim(string(b), " \r\n\t\x00"); err == nil && s != "" && len(s) <= 200 {
			return s
		}
	}
	return ""
}

// groupMemory is the memory limit of the control group, 0 when there is none.
func groupMemory() uint64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// Name makes a node name of a host name: its first label, in lower case, with dashes for all that a name may not hold;
// "node" when nothing is left.
func Name(hostname string) string {
	label, _, _ := strings.Cut(strings.ToLower(hostname), ".")
	var b strings.Builder
	for _, c := range []byte(label) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteByte(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	name = strings.TrimRight(name[:min(len(name), edgeward.MaxName)], "-")
	if edgeward.CheckName("node", name) != nil {
		return "node"
	}
	return name
}
