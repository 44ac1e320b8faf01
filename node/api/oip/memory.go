package oip

import (
	"net"
	"net/http"
	"strings"

	"edgeward"
	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
)

// span is the part of a shared memory region that holds a tensor. The zero span is none.
type span struct {
	region       string
	offset, size int64
}

// parameter takes one parameter of a tensor if it is of shared memory.
func (s *span) parameter(key string, v Value) (err error) {
	switch key {
	case "shared_memory_region":
		if s.region, err = text(key, v); err == nil && (s.region == "" || len(s.region) > shm.MaxName) {
			err = invalid("shared_memory.name", "a region's name has 1 to %d bytes", shm.MaxName)
		}
	case "shared_memory_offset":
		s.offset, err = whole(key, v)
	case "shared_memory_byte_size":
		s.size, err = whole(key, v)
	}
	return err
}

// InShared is the place of a tensor's data in shared memory while the parameters of an input are read.
type InShared struct{ span }

// Parameter takes one parameter of an input; those nobody knows are passed over.
func (s *InShared) Parameter(key string, v Value) error { return s.parameter(key, v) }

// Is reports whether the input is in shared memory.
func (s *InShared) Is() bool { return s.region != "" }

// Share says that the data of the input that is appended next are in shared memory.
func (r *Request) Share(s InShared) {
	if s.Is() {
		if r.spans == nil {
			r.spans = map[int]span{}
		}
		r.spans[len(r.Inputs)] = s.span
	}
}

// Shared says where an output's data were put; Region is empty for those that the answer carries.
type Shared struct {
	Region       string
	Offset, Size int64
}

// memory checks that shared memory is offered to who asks with t.
func (s *Service) memory(t Target) error {
	switch {
	case s.Shared == nil:
		return invalid("shared_memory.off", "shared memory is not offered").WithHint("send the data in the request, or set http.shared_memory")
	case !t.Local:
		return edgeward.E("oip.memory", edgeward.Forbidden, "shared_memory.remote", "shared memory is for callers on this machine").WithHint("connect to a loopback address without a proxy, or send the data in the request")
	}
	return nil
}

// fetch reads the inputs that are in shared memory; together they are no larger than a request may be.
func (s *Service) fetch(t Target, r *Request) error {
	left := s.MaxBody
	for i, p := range r.spans {
		if err := s.memory(t); err != nil {
			return err
		}
		b, err := s.Shared.Read(t.Group, p.region, p.offset, p.size, left)
		if err != nil {
			return err
		}
		left -= int64(len(b))
		r.Inputs[i].Data = b
	}
	return nil
}

// LocalAddr reports whether a peer's address is of this machine: loopback, or a unix socket.
func LocalAddr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr == "" || addr == "@" || strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, "@")
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// localRequest reports whether a request was sent on this machine: what a proxy here handed on was not.
func localRequest(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	return LocalAddr(r.RemoteAddr)
}

// RegisterMemory makes a region of p's group known.
func (s *Service) RegisterMemory(p auth.Principal, local bool, r shm.Region) error {
	if err := s.memory(Target{Local: local}); err != nil {
		return err
	}
	return s.Shared.Register(p.Group, r)
}

// UnregisterMemory forgets a region of p's group, or all where name is empty.
func (s *Service) UnregisterMemory(p auth.Principal, name string) {
	switch {
	case s.Shared == nil:
	case name == "":
		s.Shared.UnregisterAll(p.Group)
	default:
		s.Shared.Unregister(p.Group, name)
	}
}

// Memory lists the regions of p's group, or the one called name.
func (s *Service) Memory(p auth.Principal, name string) ([]shm.Region, error) {
	if s.Shared == nil {
		return []shm.Region{}, nil
	}
	return s.Shared.List(p.Group, name)
}

// NoCUDA is why memory of a GPU cannot be registered.
func NoCUDA() error {
	return invalid("shared_memory.cuda", "CUDA shared memory is not offered").WithHint("use system shared memory, or send the data in the request")
}
