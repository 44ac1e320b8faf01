package simnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/simnet"
)

var a, b = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")

// lost sends 10,000 numbered packets and says which came, and how many twice.
func lost(t *testing.T, seed uint64) (came []int, twice int) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.Same(seed, simnet.Link{Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.05, Duplicate: 0.01})
		from, _ := n.Host(a).ListenPacket(1)
		to, _ := n.Host(b).ListenPacket(2)
		seen := map[int]bool{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 10)
			for {
				if _, _, err := to.ReadFrom(buf); err != nil {
					return
				}
				k := int(buf[0])<<8 | int(buf[1])
				if seen[k] {
					twice++
				}
				seen[k] = true
			}
		}()
		for i := range 10000 {
			_, _ = from.WriteTo([]byte{byte(i >> 8), byte(i)}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(b, 2)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		to.Close()
		<-done
		for k := range seen {
			came = append(came, k)
		}
		slices.Sort(came)
		_ = from.Close()
	})
	return came, twice
}

func TestPacketsAreLostAndDoubledAsTheSeedSays(t *testing.T) {
	came, twice := lost(t, 1)
	if k := len(came); k < 9300 || k > 9700 {
		t.Errorf("%d of 10,000 packets came at 5 %% loss", k)
	}
	if twice < 50 || twice > 200 {
		t.Errorf("%d packets came twice at 1 %%", twice)
	}
	same, _ := lost(t, 1)
	other, _ := lost(t, 2)
	if !slices.Equal(came, same) || slices.Equal(came, other) {
		t.Error("the same seed must lose the same packets, and another one others")
	}
}

func TestStreamsKeepTheirOrderOverLossAndPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.Same(3, simnet.Link{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.2, Rate: 10 << 20})
		l, err := n.Host(b).Listen(7)
		if err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, 3<<20)
		for i := range sent {
			sent[i] = byte(i * 7)
		}
		go func() {
			c, err := n.Host(a).Dial(t.Context(), "10.0.0.2:7")
			if err != nil {
				t.Error(err)
				return
			}
			for i := 0; i < len(sent); i += 1000 {
				if _, err := c.Write(sent[i:min(len(sent), i+1000)]); err != nil {
					t.Error(err)
				}
			}
			c.Close()
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.AfterFunc(100*time.Millisecond, func() { n.Partition([]netip.Addr{a}) })
		time.AfterFunc(time.Minute, n.Heal)
		got, err := io.ReadAll(c)
		if err != nil || !slices.Equal(got, sent) {
			t.Errorf("%d bytes came, %v", len(got), err)
		}
		if took := time.Since(began); took < time.Minute || took > 20*time.Minute {
			t.Errorf("it took %s over a partition of a minute", took)
		}
		c.Close()
		l.Close()
	})
}

func TestWhoIsAwayDoesNotAnswerAndWhoDoesNotListenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.Same(3, simnet.Link{Delay: time.Millisecond})
		if _, err := n.Host(b).Listen(8); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Host(a).Dial(t.Context(), "10.0.0.2:7"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		n.Host(b).Crash()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := n.Host(a).Dial(ctx, "10.0.0.2:8"); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("a crashed host: %v after %s", err, time.Since(began))
		}
	})
}
