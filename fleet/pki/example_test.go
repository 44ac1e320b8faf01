package pki_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"edgeward/fleet/pki"
)

// A hub and a node that joins it: first by the pin of the code, then by its certificate.
func Example() {
	now := time.Now
	ca := must(pki.NewCA("01J", now()))
	cert := must(ca.IssueHub([]string{"127.0.0.1"}, now()))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/join" { // the code was checked before
			csr := must(io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<10)))
			w.Write(must(ca.IssueNode("01N", csr, nil, now()))[0])
			return
		}
		p, err := ca.Peer(r.TLS, now())
		if err != nil {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "hello ", p.Node)
	})
	hub := &http.Server{Handler: handler}
	hub.TLSConfig = pki.HubTLS(ca.Authority, func() (*tls.Certificate, error) { return &cert, nil }, func(pki.Peer) error { return nil }, now)
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	go hub.ServeTLS(l, "", "")
	defer hub.Close()
	url := "https://" + l.Addr().String()

	pin := ca.Digest() // out of the join code
	id, csr, _ := pki.Request("01N")
	joining := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: pki.JoinTLS(pin)}}
	answer, err := joining.Post(url+"/join", "", bytes.NewReader(csr))
	if err != nil {
		panic(err)
	}
	id, a, err := id.Join(pin, "01N", [][]byte{must(io.ReadAll(answer.Body)), ca.DER()})
	if err != nil {
		panic(err)
	}
	node := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: pki.NodeTLS(a, func() (*tls.Certificate, error) {
		c, err := id.TLS()
		return &c, err
	})}}
	for _, c := range []*http.Client{&joining, &node} {
		r, err := c.Get(url + "/state")
		if err != nil {
			panic(err)
		}
		b := must(io.ReadAll(r.Body))
		fmt.Println(r.Proto, r.StatusCode, string(b[:5]))
	}
	// Output:
	// HTTP/2.0 401 who a
	// HTTP/2.0 200 hello
}
