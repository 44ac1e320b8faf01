package systemtest

import (
	"net/http"
	"testing"
	"time"
)

// BenchmarkStart is from the start of the real program to its first 200, native libraries unpacked already.
func BenchmarkStart(b *testing.B) {
	program(b)
	dir := dataDir(b)
	var total time.Duration
	for b.Loop() {
		began := time.Now()
		p, _ := serve(b, dir)
		for {
			if resp, err := http.Get(serverURL(p) + "/api/v1/health"); err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
			}
		}
		total += time.Since(began)
		p.kill()
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/start")
}

// BenchmarkIdle is the resident memory of a server that does nothing.
func BenchmarkIdle(b *testing.B) {
	program(b)
	p, _ := serve(b, dataDir(b))
	time.Sleep(3 * time.Second)
	var rss int64
	for b.Loop() {
		rss = memoryOf(b, p.cmd.Process.Pid, "VmRSS")
	}
	b.ReportMetric(float64(rss)/(1<<20), "MB")
}
