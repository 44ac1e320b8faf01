package longpoll_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/longpoll"
)

// office is a server whose calls wait for word.
type office struct {
	lot    *longpoll.Lot
	server *http.Server
	lines  chan net.Conn
	keys   tls.Certificate
	roots  *tls.Config
	wait   time.Duration
	made   atomic.Int64 // connections

	once sync.Once

	mu     sync.Mutex
	word   string
	bells  map[*call]func()
	left   int
	parked int
	who    []any
}

type whoKey struct{}

func newOffice(t *testing.T) *office {
	model := httptest.NewUnstartedServer(nil) // for its certificate
	model.StartTLS()
	o := &office{lines: make(chan net.Conn), keys: model.TLS.Certificates[0], wait: 55 * time.Second, bells: map[*call]func(){}}
	o.roots = model.Client().Transport.(*http.Transport).TLSClientConfig
	model.Close()
	o.lot = longpoll.Listen(o, &tls.Config{Certificates: []tls.Certificate{o.keys}, NextProtos: []string{"http/1.1"}}, slog.New(slog.DiscardHandler))
	o.server = &http.Server{Handler: o, ConnState: longpoll.Turn, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		ctx, l := longpoll.With(ctx, c)
		if l.Value == nil {
			l.Value = int(o.made.Add(1))
		}
		return context.WithValue(ctx, whoKey{}, l.Value)
	}}
	go func() { _ = o.server.Serve(o.lot) }()
	return o
}

// Accept, Close and Addr make it a net.Listener.
func (o *office) Accept() (net.Conn, error) {
	c, ok := <-o.lines
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (o *office) Close() error   { o.once.Do(func() { close(o.lines) }); return nil }
func (o *office) Addr() net.Addr { return &net.TCPAddr{} }

func (o *office) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	o.lines <- there
	return &lazy{Conn: here}, nil
}

// lazy sends what was written a moment later: so the first request comes together with the end of the handshake.
type lazy struct {
	net.Conn
	mu  sync.Mutex
	out []byte
}

func (l *lazy) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, p...)
	time.AfterFunc(time.Millisecond, l.flush)
	return len(p), nil
}

func (l *lazy) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out) > 0 {
		_, _ = l.Conn.Write(l.out)
		l.out = nil
	}
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.who = append(o.who, r.Context().Value(whoKey{}))
	o.mu.Unlock()
	if r.URL.Path == "/now" {
		_, _ = io.WriteString(w, "now")
		return
	}
	if !longpoll.Park(w, r, o.wait, &call{o: o, of: r.URL.Path}) {
		http.Error(w, "cannot wait", http.StatusTeapot)
	}
}

// say answers all who wait.
func (o *office) say(word string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.word = word
	for _, ring := range o.bells {
		ring()
	}
	clear(o.bells)
}

type call struct {
	o  *office
	of string
}

func (c *call) Answer(w http.ResponseWriter, ring func()) bool {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	delete(c.o.bells, c)
	switch {
	case c.o.word == "nothing yet" && ring != nil:
		c.o.word = ""
		fallthrough
	case c.o.word == "" && ring != nil:
		c.o.bells[c] = ring
		return false
	case c.o.word == "":
		w.WriteHeader(http.StatusNotModified)
	case c.of == "/panic":
		panic("at the answer")
	case c.of == "/large":
		_, _ = w.Write(make([]byte, 1<<20))
	default:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, c.o.word)
	}
	return true
}

func (c *call) Leave() {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	delete(c.o.bells, c)
	c.o.left++
}

// client calls over connections of its own.
func (o *office) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: o.dial, TLSClientConfig: o.roots.Clone()}}
}

// get is what an answer says, or what went wrong.
func get(c *http.Client, path string, beats *atomic.Int64) string {
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { beats.Add(1); return nil }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com"+path, nil)
	if err != nil {
		return err.Error()
	}
	res, err := c.Do(r)
	if err != nil {
		return "failed"
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return fmt.Sprint(res.StatusCode, " ", string(b), err)
}

// bubble runs f with an office in virtual time.
func bubble(t *testing.T, f func(*testing.T, *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		f(t, o)
		o.server.Close()
		synctest.Wait()
		if n := o.lot.Len(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestACallWaitsAndItsConnectionGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		c, beats := o.client(), &atomic.Int64{}
		for i := range 3 {
			answer := make(chan string, 1)
			go func() { answer <- get(c, "/wait", beats) }()
			time.Sleep(40 * time.Second) // a beat at 28 s
			if i == 1 {
				o.say("nothing yet") // wakes it for nothing
				time.Sleep(time.Second)
			}
			o.say("word")
			if got := <-answer; got != "200 word<nil>" {
				t.Errorf("answered %s", got)
			}
			o.say("")
			if got := get(c, "/now", beats); got != "200 now<nil>" {
				t.Errorf("answered %s", got)
			}
		}
		if n := beats.Load(); n != 3 {
			t.Errorf("%d beats, want 3", n)
		}
		if o.made.Load() != 1 || len(o.who) != 6 {
			t.Fatalf("%d connections, %d calls; want 1, 6", o.made.Load(), len(o.who))
		}
		for _, who := range o.who {
			if who != 1 {
				t.Errorf("a call came from %v", who)
			}
		}
		c.CloseIdleConnections()
	})
}

func TestACallThatIsOverSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		c, beats, began := o.client(), &atomic.Int64{}, time.Now()
		if got := get(c, "/wait", beats); got != "304 <nil>" || time.Since(began).Round(time.Second) != 55*time.Second || beats.Load() != 1 || o.left != 0 || len(o.bells) != 0 {
			t.Errorf("%s after %v, %d beats, %d left", got, time.Since(began), beats.Load(), o.left)
		}
		time.Sleep(longpoll.Idle + time.Second)
		if o.lot.Len() != 0 {
			t.Error("a connection that says nothing is kept")
		}
	})
}

// TestOneConnectionIsNotAnothersMatter has callers that go away, do not listen, say too much, or cannot be answered, beside one that is in order.
func TestOneConnectionIsNotAnothersMatter(t *testing.T) {
	for _, bad := range []string{"/gone", "/large", "/more", "/panic"} {
		t.Run(bad[1:], func(t *testing.T) {
			bubble(t, func(t *testing.T, o *office) {
				raw, _ := o.dial(t.Context(), "", "")
				conf := o.roots.Clone()
				conf.ServerName = "example.com"
				line := tls.Client(raw, conf)
				fmt.Fprintf(line, "GET %s HTTP/1.1\r\nHost: example.com\r\n\r\n", bad)
				in := bufio.NewReader(line)
				if beat, err := in.ReadString('\n'); err != nil || !strings.Contains(beat, "102") {
					t.Fatalf("%q, %v", beat, err)
				}
				c, answer := o.client(), make(chan string, 1)
				go func() { answer <- get(c, "/wait", &atomic.Int64{}) }()
				time.Sleep(time.Second)
				switch bad {
				case "/gone":
					raw.Close()
				case "/more":
					go fmt.Fprint(line, "G")
				}
				time.Sleep(time.Second)
				o.say("word")
				if got := <-answer; got != "200 word<nil>" {
					t.Errorf("answered %s", got)
				}
				time.Sleep(longpoll.Slow + time.Second)
				if o.lot.Len() != 1 || len(o.bells) != 0 {
					t.Errorf("%d connections and %d bells are there, want the good one", o.lot.Len(), len(o.bells))
				}
				if wantLeft := map[string]int{"/gone": 1, "/more": 1, "/panic": 1}[bad]; o.left != wantLeft {
					t.Errorf("%d calls were told that they end, want %d", o.left, wantLeft)
				}
				raw.Close()
				c.CloseIdleConnections()
			})
		})
	}
}

func TestManyAreAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		var wg sync.WaitGroup
		var good atomic.Int64
		for range 200 {
			wg.Go(func() {
				c := o.client()
				defer c.CloseIdleConnections()
				if get(c, "/wait", &atomic.Int64{}) == "200 word<nil>" {
					good.Add(1)
				}
			})
		}
		time.Sleep(10 * time.Second)
		if n := o.lot.Len(); n != 200 {
			t.Errorf("%d wait", n)
		}
		o.say("word")
		wg.Wait()
		if good.Load() != 200 {
			t.Errorf("%d of 200 were answered", good.Load())
		}
	})
}

func TestAClosedLotEndsWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T, o *office) {
		answer := make(chan string, 1)
		go func() { answer <- get(o.client(), "/wait", &atomic.Int64{}) }()
		time.Sleep(time.Second)
		o.lot.Close()
		if got := <-answer; got != "failed" {
			t.Errorf("answered %s", got)
		}
	})
}

// TestOtherConnectionsWaitWhereTheyAre is of HTTP/2, and of a connection without TLS.
func TestOtherConnectionsWaitWhereTheyAre(t *testing.T) {
	asks := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.ProtoMajor, " ", longpoll.Park(w, r, time.Second, nil))
	})
	for start, want := range map[string]string{"http": "1 false", "https": "2 false"} {
		s := httptest.NewUnstartedServer(asks)
		s.EnableHTTP2 = true
		if start == "http" {
			s.Start()
		} else {
			s.StartTLS()
		}
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if res.Body.Close(); string(b) != want {
			t.Errorf("%s: %s, want %s", start, b, want)
		}
		s.Close()
	}
}
