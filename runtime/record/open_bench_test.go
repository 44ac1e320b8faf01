package record_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// wideID returns the n-th of many ids.
func wideID(n int) string {
	var e [10]byte
	binary.BigEndian.PutUint32(e[6:], uint32(n))
	binary.BigEndian.PutUint32(e[:], uint32(n)*2654435761)
	var u ulid.ULID
	_ = u.SetTime(ulid.Timestamp(start))
	_ = u.SetEntropy(e[:])
	return u.String()
}

// fill adds n predictions, each with its truth.
func fill(tb testing.TB, l *record.Log, n int) {
	tb.Helper()
	var said []record.Feedback
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		p := prediction(i%1000, 1, record.Live)
		p.ID, p.EventTime = wideID(i), start.Add(time.Duration(i)*time.Minute)
		p.Inputs = []tensor.Tensor{floats("x", []int64{1, 4}, r.Float32(), r.Float32(), r.Float32(), r.Float32())}
		p.Outputs = []tensor.Tensor{floats("forecast", []int64{1, 1}, r.Float32()), floats("interval", []int64{1, 2}, r.Float32(), r.Float32())}
		if err := l.Add(p); err != nil {
			tb.Fatal(err)
		}
		f := truth(i%1000, "his", r.Float64())
		f.PredictionID = p.ID
		if said = append(said, f); len(said) == 1000 || i == n-1 {
			if _, err := l.AddFeedback(context.Background(), said); err != nil {
				tb.Fatal(err)
			}
			said = said[:0]
		}
	}
}

// BenchmarkOpen is the start of a node with 100,000 predictions and their truths, as frames and sealed.
func BenchmarkOpen(b *testing.B) {
	for _, form := range []string{"frames", "sealed"} {
		b.Run(form, func(b *testing.B) {
			dir := b.TempDir()
			o := record.Options{Now: func() time.Time { return start }}
			l, err := record.Open(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			fill(b, l, 100_000)
			if form == "sealed" {
				if err := l.SealAll(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			var size int64
			files, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, f := range files {
				if st, err := os.Stat(f); err == nil {
					size += st.Size()
				}
			}
			before := cpu(b)
			for b.Loop() {
				l, err := record.Open(dir, o)
				if err != nil {
					b.Fatal(err)
				}
				l.Close()
			}
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(size)/1e6, "MB")
			b.ReportMetric(float64(len(files)), "files")
		})
	}
}

// cpu is the processor time this process has had: on a busy machine it says more than a clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
