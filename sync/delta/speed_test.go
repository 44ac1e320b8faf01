package delta

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"edgeward/sync/chunk"
)

// cpu reports MB a second of processor time, which a busy machine does not change much.
func cpu(b *testing.B, n int) func() {
	var u, v syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return func() {
		syscall.Getrusage(syscall.RUSAGE_SELF, &v)
		ns := v.Utime.Nano() + v.Stime.Nano() - u.Utime.Nano() - u.Stime.Nano()
		b.ReportMetric(float64(n)*float64(b.N)*1e3/float64(max(ns, 1)), "MB/cpu-s")
	}
}

// BenchmarkNumbers codes 4 MiB of each kind of number, as a training step moves them.
func BenchmarkNumbers(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 1 << 20
	for name, kind := range map[string]chunk.Kind{"float32": chunk.Float32, "bfloat16": chunk.BFloat16, "int8": chunk.Int8} {
		f := layouts[kind]
		base, now := make([]byte, n), make([]byte, n)
		for i := 0; i < n; i += f.width {
			v := r.NormFloat64() * 0.05
			w := v + 1e-4*r.NormFloat64()
			switch kind {
			case chunk.Float32:
				binary.LittleEndian.PutUint32(base[i:], math.Float32bits(float32(v)))
				binary.LittleEndian.PutUint32(now[i:], math.Float32bits(float32(w)))
			case chunk.BFloat16:
				binary.LittleEndian.PutUint16(base[i:], uint16(math.Float32bits(float32(v))>>16))
				binary.LittleEndian.PutUint16(now[i:], uint16(math.Float32bits(float32(w))>>16))
			default:
				base[i], now[i] = byte(int8(v*500)), byte(int8(w*500))
			}
		}
		m, reads := newNumbers(f, true), newNumbers(f, false)
		var coded []byte
		b.Run(name+"/encode", func(b *testing.B) {
			b.SetBytes(n)
			cpu := cpu(b, n)
			defer cpu()
			for b.Loop() {
				m.reset()
				coded = m.encode(coded[:0], now, base, f, 512, 0)
			}
			b.ReportMetric(100*float64(len(coded))/n, "%size")
		})
		coded = append(coded, make([]byte, slack)...)[:len(coded)]
		b.Run(name+"/decode", func(b *testing.B) {
			b.SetBytes(n)
			out, was := make([]byte, n, n+slack), make([]byte, n, n+slack)
			cpu := cpu(b, n)
			defer cpu()
			for b.Loop() {
				reads.reset()
				copy(was, base)
				if !reads.decode(out, coded, was, f, 512) || !bytes.Equal(out, now) {
					b.Fatal("it does not come back")
				}
			}
		})
	}
}
