package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/wire"
)

// Options say how to reach a server. Socket wins over URL.
type Options struct {
	URL    string // "http://127.0.0.1:8080"
	Token  string
	Socket string // path of the data directory's socket
	Part   string // over the socket: the part of the product that is acting, such as demo-policy
	Group  string // current group; "" leaves it to the server
	CAFile string // PEM file of the CA that signed the server's certificate; "": the system's

	Through func(http.RoundTripper) http.RoundTripper // what requests and answers pass on their way; nil: nothing
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	o    Options
	base string
	http *http.Client
}

// maxAnswer bounds what is read of an answer that is decoded.
const maxAnswer = 256 << 20

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, DisableCompression: true}
	base := strings.TrimRight(o.URL, "/")
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, edgeward.E("client.New", edgeward.Invalid, "client.ca_file", "%w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, edgeward.E("client.New", edgeward.Invalid, "client.ca_file", "%s holds no certificate", o.CAFile).WithHint("give the server's tls/ca.pem")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	if o.Socket != "" {
		base = "http://localhost"
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialSocket(ctx, o.Socket)
		}
	} else if u, err := url.Parse(base); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, edgeward.E("client.New", edgeward.Invalid, "client.url", "%q is no server address", o.URL).WithHint("write http://127.0.0.1:8080")
	}
	var through http.RoundTripper = t
	if o.Through != nil {
		through = o.Through(t)
	}
	return &Client{o: o, base: base, http: &http.Client{Transport: through,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// maxSocket is how long a socket's path may be for every kernel.
const maxSocket = 100

// dialSocket reaches a socket whose path may be longer than the kernel's name of it: then through its folder.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	if len(path) <= maxSocket {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

// Request is one call. Body is sent as JSON unless it is an io.Reader, which is streamed.
type Request struct {
	Method, Path string
	Query        url.Values
	Body         any
	Header       map[string]string
	Repeat       bool // safe to send again while the server is unavailable
}

// Do sends a request and decodes the answer into out (nil: ignored; *[]byte and io.Writer: raw).
func (c *Client) Do(ctx context.Context, r Request, out any) error {
	_, err := c.do(ctx, r, out)
	return err
}

func (c *Client) do(ctx context.Context, r Request, out any) (http.Header, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	_, streamed := r.Body.(io.Reader)
	again := (r.Repeat || r.Method == http.MethodGet) && !streamed
	for try := 0; ; try++ {
		h, err := c.once(ctx, r, out)
		if err == nil || !again || try == 4 || edgeward.KindOf(err) != edgeward.Unavailable {
			return h, err
		}
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, r Request, out any) (http.Header, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := decode(resp, out); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unavailable(r.Method+" "+r.Path, err)
	}
	return resp.Header, nil
}

// open returns the body of an answer that is read as it comes.
func (c *Client) open(ctx context.Context, r Request) (io.ReadCloser, error) {
	r.Method = http.MethodGet
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// unavailable says that an answer broke off.
func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	return edgeward.E(op, edgeward.Unavailable, "client.cut", "the answer broke off: %w", err).WithHint("try again; the server's log may say more")
}

// send returns an answer with a status below 300.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	op := r.Method + " " + r.Path
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case io.Reader:
		body = b
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return nil, edgeward.Wrap(op, err)
		}
		body = bytes.NewReader(data)
	}
	u := c.base + r.Path
	if len(r.Query) > 0 {
		u += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u, body)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	if c.o.Part != "" {
		req.Header.Set("Edgeward-Part", c.o.Part)
	}
	if c.o.Group != "" {
		req.Header.Set("Edgeward-Group", c.o.Group)
	}
	if tag := match(ctx, r.Method); tag != "" {
		req.Header.Set("If-Match", tag)
	}
	for k, v := range r.Header {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		where, hint := c.base, "is the server running there? start it with: edgeward up"
		if c.o.Socket != "" {
			where = c.o.Socket
		}
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
			hint = "this machine does not know the CA that signed the server's certificate: give --ca-file, such as the server's tls/ca.pem"
		}
		return nil, (&edgeward.Error{Op: op, Kind: edgeward.Unavailable, Code: "client.unreachable", Err: errors.Unwrap(err)}).
			With("server", where).WithHint("%s", hint)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

func decode(resp *http.Response, out any) error {
	switch o := out.(type) {
	case nil:
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return err
	case io.Writer:
		_, err := io.Copy(o, resp.Body)
		return err
	case *[]byte:
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		*o = b
		return err
	default:
		return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out)
	}
}

// problem turns a refusal into an error of the same kind. What was asked is not repeated: the server's words say it.
func problem(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p wire.Problem
	if json.Unmarshal(b, &p) != nil || p.Kind == "" {
		var oip struct{ Error, Code, Hint string }
		_ = json.Unmarshal(b, &oip) // whatever is no JSON is told by its status
		p = wire.Problem{Kind: kindOf(resp.StatusCode).String(), Detail: oip.Error, Code: oip.Code, Hint: oip.Hint}
		if p.Detail == "" {
			p.Detail = fmt.Sprintf("the server answered %s", resp.Status)
		}
	}
	for _, f := range p.Errors {
		p.Detail += "; " + strings.TrimSpace(f.Location+" "+f.Message)
	}
	e := &edgeward.Error{Kind: edgeward.KindFromString(p.Kind), Code: p.Code, Hint: p.Hint, Params: p.Params, Err: errors.New(p.Detail)}
	if e.Kind == edgeward.Internal {
		e.Err = fmt.Errorf("%s (request %s)", p.Detail, p.RequestID)
	}
	return e
}

func kindOf(status int) edgeward.Kind {
	switch status {
	case http.StatusUnauthorized:
		return edgeward.Unauthenticated
	case http.StatusForbidden:
		return edgeward.Forbidden
	case http.StatusNotFound:
		return edgeward.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return edgeward.Conflict
	case http.StatusRequestEntityTooLarge:
		return edgeward.TooLarge
	case http.StatusTooManyRequests:
		return edgeward.Exhausted
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return edgeward.Unavailable
	}
	if status < 500 {
		return edgeward.Invalid
	}
	return edgeward.Internal
}

func get[T any](ctx context.Context, c *Client, path string, query ...string) (T, error) {
	var out T
	return out, c.Do(ctx, Request{Path: path, Query: values(query)}, &out)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var out T
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: path, Body: body}, &out)
}

// postAgain is a post that changes nothing: it is sent again while the server, or one of its workers, is unavailable.
func postAgain[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var out T
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: path, Body: body, Repeat: true}, &out)
}

// values makes a query of key, value pairs; empty values are left out.
func values(pairs []string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// List is one page of any list; Next is the cursor of the following page, "" on the last.
type List[T any] = wire.List[T]

// All follows a list to its end, at most max items (0: all).
func All[T any](ctx context.Context, max int, fetch func(cursor string) (wire.List[T], error)) ([]T, error) {
	var all []T
	for cursor := ""; ; {
		page, err := fetch(cursor)
		if err != nil {
			return all, err
		}
		all = append(all, page.Items...)
		if page.Next == "" || (max > 0 && len(all) >= max) {
			return all, ctx.Err()
		}
		cursor = page.Next
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// segment is a name as one piece of a path, whatever it holds.
func segment(s string) string { return url.PathEscape(s) }
