package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"edgeward"
	"edgeward/sync/pull"
)

// ClientOptions are what a Client is made of. All are needed.
type ClientOptions struct {
	Door     *Door
	Address  func(node string) string // where gossip last heard of it; "" nowhere
	Document func() []byte            // this server's own, as the hub signed it
}

// Client asks the others of the site. The zero Client reaches nobody.
type Client struct {
	o    ClientOptions
	http *http.Client

	mu    sync.Mutex
	shown map[string]edgeward.Digest // the document that each was shown last
}

// NewClient has asked nobody yet.
func NewClient(o ClientOptions) *Client {
	c := &Client{o: o, shown: map[string]edgeward.Digest{}}
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, MaxIdleConns: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 20 * time.Second, DisableCompression: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			node, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			to := o.Address(node)
			if to == "" {
				return nil, edgeward.E("peer.Client", edgeward.Unavailable, "fleet.peer_away", "%s has no address", node)
			}
			return o.Door.Dial(ctx, node, to, ForBytes)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

// Close ends idle streams.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call asks one, and shows it this server's document first where it has not seen the latest.
func (c *Client) call(ctx context.Context, node, method, path string, body []byte, header http.Header) (*http.Response, error) {
	document := c.o.Document
	if document == nil {
		return c.do(ctx, node, method, path, body, header) // reaches nobody
	}
	d := document()
	digest := edgeward.DigestOf(d)
	c.mu.Lock()
	latest := c.shown[node] == digest
	c.mu.Unlock()
	for again := false; ; again = true {
		if !latest {
			if err := c.show(ctx, node, d, digest); err != nil {
				return nil, err
			}
		}
		res, err := c.do(ctx, node, method, path, body, header)
		if err != nil || res.StatusCode < 300 {
			return res, err
		}
		if err = problem(res); again || edgeward.CodeOf(err) != documentNeeded {
			return nil, err
		}
		latest = false // it was started anew
	}
}

func (c *Client) show(ctx context.Context, node string, document []byte, digest edgeward.Digest) error {
	res, err := c.do(ctx, node, http.MethodPut, "document", document, nil)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return problem(res)
	}
	res.Body.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown[node] = digest
	return nil
}

func (c *Client) do(ctx context.Context, node, method, path string, body []byte, header http.Header) (*http.Response, error) {
	if c.http == nil {
		return nil, edgeward.E("peer.Client", edgeward.Unavailable, "fleet.peer_away", "the site port is closed")
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://"+node+"/site/v1/"+path, bytes.NewReader(body)) // the Door makes it TLS
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		q.Header[k] = v
	}
	res, err := c.http.Do(q)
	if err != nil {
		var e *edgeward.Error
		if errors.As(err, &e) {
			return nil, e
		}
		return nil, away(err)
	}
	return res, nil
}

// problem reads what another one refused with (RFC 9457).
func problem(res *http.Response) error {
	defer res.Body.Close()
	var p struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(b, &p) != nil || p.Code == "" || len(p.Code) > 100 {
		p.Code, p.Detail = "fleet.peer_answer", "it answered "+strconv.Itoa(res.StatusCode)+" without saying why"
	}
	return edgeward.E("peer.Client", edgeward.Unavailable, p.Code, "a server of the site: %.300s", p.Detail)
}

// Have asks one for blobs.
func (c *Client) Have(ctx context.Context, node string, blobs []edgeward.Digest) (Have, error) {
	var h Have
	b, err := json.Marshal(map[string]any{"blobs": blobs})
	if err != nil {
		return h, err
	}
	res, err := c.call(ctx, node, http.MethodPost, "have", b, nil)
	if err != nil {
		return h, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&h); err != nil {
		return h, edgeward.E("peer.Have", edgeward.Unavailable, "fleet.peer_answer", "its answer cannot be read: %v", err)
	}
	return h, nil
}

// From is one as a source of blobs. It has no differences.
func (c *Client) From(node string) pull.Source { return source{c, node} }

type source struct {
	c    *Client
	node string
}

func (s source) Blob(ctx context.Context, d edgeward.Digest, offset int64) (io.ReadCloser, int64, error) {
	h := http.Header{}
	if offset > 0 {
		h.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	res, err := s.c.call(ctx, s.node, http.MethodGet, "blobs/"+string(d), nil, h)
	if err != nil {
		return nil, 0, err
	}
	if res.StatusCode != http.StatusPartialContent {
		offset = 0
	}
	return res.Body, offset, nil
}

func (s source) Delta(context.Context, edgeward.Digest, edgeward.Digest) (io.ReadCloser, error) {
	return nil, edgeward.E("peer.Delta", edgeward.NotFound, "delta.none", "servers of a site hand on whole blobs")
}
