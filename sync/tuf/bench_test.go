package tuf_test

import (
	"fmt"
	"testing"

	"edgeward"
	"edgeward/sync/tuf"
)

// many is a fleet with n signed versions.
func many(b *testing.B, n int) *place {
	p := found(b)
	add := make([]tuf.Target, n)
	for i := range add {
		add[i] = tuf.Target{Group: "default", Model: fmt.Sprint("model-", i%50), Digest: edgeward.DigestOf(fmt.Append(nil, i)), Length: 1000, Version: i + 1, Epoch: 1}
	}
	p.publish(p.propose(add...), p.cem, p.dan)
	return p
}

func BenchmarkRefresh(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		p := many(b, n)
		b.Run(fmt.Sprint("first/", n), func(b *testing.B) {
			b.ReportMetric(float64(len(p.set.Models)), "bytes")
			for b.Loop() {
				if err := p.node().refresh(p.now, p.set); err != nil {
					b.Fatal(err)
				}
			}
		})
		v := p.node()
		if err := v.refresh(p.now, p.set); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("nothing-new/", n), func(b *testing.B) {
			for b.Loop() {
				if err := v.refresh(p.now, p.set); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("target/", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := v.Target("default", "model-0", edgeward.DigestOf([]byte("0")), p.now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		p := many(b, n)
		prop := p.propose(version(99999, 1))
		for _, who := range []person{p.cem, p.dan} {
			sigs, err := tuf.Sign(p.set, prop, who.key)
			if err != nil {
				b.Fatal(err)
			}
			if prop, _, err = prop.Add(p.set, sigs...); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := tuf.Publish(p.set, prop, p.hub, p.now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
