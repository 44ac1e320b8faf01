package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"
)

// point is what one measurement of load showed.
type point struct {
	p50, p99  time.Duration
	perSecond float64
	cpu       time.Duration // of the server's processes, per request
	asking    time.Duration // of this process, which asks, per request
}

// drive has n clients, each on one connection, ask again and again for d: the next question goes out when the answer to
// the one before is there. Any answer but 200 is an error.
func drive(p *process, address string, raw []byte, n int, d time.Duration) (point, error) {
	if _, err := ask(address, raw, 200*time.Millisecond, nil); err != nil { // warm
		return point{}, err
	}
	all, errs := make([][]time.Duration, n), make([]error, n)
	var clients sync.WaitGroup
	mine, before, began := ownCPU(), p.cpu(), time.Now()
	for i := range n {
		clients.Go(func() { all[i], errs[i] = ask(address, raw, d, make([]time.Duration, 0, 1<<16)) })
	}
	clients.Wait()
	took, spent, asking := time.Since(began), p.cpu()-before, ownCPU()-mine
	for _, err := range errs {
		if err != nil {
			return point{}, err
		}
	}
	t := slices.Concat(all...)
	slices.Sort(t)
	return point{p50: t[len(t)/2], p99: t[len(t)*99/100], perSecond: float64(len(t)) / took.Seconds(), cpu: spent / time.Duration(len(t)), asking: asking / time.Duration(len(t))}, nil
}

// ownCPU is the user and system time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// exchange asks once, on a connection of its own. Any answer but 200 is an error.
func exchange(address string, raw []byte) (*http.Response, []byte, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	return exchangeOn(c, bufio.NewReader(c), raw)
}

// exchangeOn is exchange on a connection that is there.
func exchangeOn(c net.Conn, r *bufio.Reader, raw []byte) (*http.Response, []byte, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, nil, err
	}
	if _, err := c.Write(raw); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.200s", c.RemoteAddr(), resp.Status, body)
	}
	return resp, body, err
}

// ask asks on one connection until d is over, at least once, and appends to took how long each answer took.
func ask(address string, raw []byte, d time.Duration, took []time.Duration) ([]time.Duration, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for began := time.Now(); ; {
		at := time.Now()
		if _, _, err := exchangeOn(c, r, raw); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
		if time.Since(began) >= d {
			return took, nil
		}
	}
}

// post writes a request of the Open Inference Protocol as it goes over the wire; header is the length of the JSON part
// where tensors follow it, 0 where there is only JSON.
func post(endpoint string, body []byte, header int) []byte {
	return postTo("/v2/models/"+endpoint+"/infer", body, header)
}

// postTo is post for any path.
func postTo(path string, body []byte, header int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n", path, token, len(body))
	if header > 0 {
		fmt.Fprintf(&b, "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: %d\r\n\r\n", header)
	} else {
		b.WriteString("Content-Type: application/json\r\n\r\n")
	}
	b.Write(body)
	return b.Bytes()
}
