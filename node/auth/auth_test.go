package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/store"
)

const good = "correct horse battery"

// world is a guard over a real store, with a clock the test moves.
type world struct {
	*auth.Guard
	db  *store.DB
	now time.Time
	ids int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.TempDir(), store.Options{Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.db = db
	w.Guard = auth.New(db, auth.Options{Now: func() time.Time { return w.now }, NewID: func() string { w.ids++; return fmt.Sprintf("ID%04d", w.ids) }})
	return w
}

// admin sets the world up by the one-time link.
func (w *world) admin(t *testing.T) (cookie string, p auth.Principal) {
	t.Helper()
	secret, err := w.Bootstrap(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	cookie, p, err = w.Setup(t.Context(), secret, auth.NewUser{Name: "alice", Password: good})
	if err != nil {
		t.Fatal(err)
	}
	return cookie, p
}

func wantCode(t *testing.T, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Fatalf("got %v (%s, %q), want %s %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), kind, code)
	}
}

func TestTheOneTimeLinkMakesOneAdministrator(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	secret, err := w.Bootstrap(ctx, "")
	if err != nil || secret == "" {
		t.Fatal(secret, err)
	}
	w.now = w.now.Add(1000 * time.Hour) // no time-out
	_, _, err = w.Setup(ctx, secret+"x", auth.NewUser{Name: "mallory", Password: good})
	wantCode(t, err, edgeward.Unauthenticated, "auth.setup_secret")
	_, _, err = w.Setup(ctx, secret, auth.NewUser{Name: "alice", Password: "short"})
	wantCode(t, err, edgeward.Invalid, "password.weak")
	_, _, err = w.Setup(ctx, secret, auth.NewUser{Name: "alice"})
	wantCode(t, err, edgeward.Invalid, "password.weak")
	cookie, p, err := w.Setup(ctx, secret, auth.NewUser{Name: "alice", Password: good})
	if err != nil || cookie == "" || p.Ref() != "user:alice" || !p.Has(auth.Admin) || !p.Has(auth.Owner) || p.Team != "main" {
		t.Fatal(p, err)
	}
	_, _, err = w.Setup(ctx, secret, auth.NewUser{Name: "mallory", Password: good})
	wantCode(t, err, edgeward.Unauthenticated, "auth.setup_secret")
	if again, err := w.Bootstrap(ctx, ""); err != nil || again != "" {
		t.Fatalf("with an administrator there is another link: %q, %v", again, err)
	}
}

func TestTheBootstrapToken(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	const token = "an-unattended-install-0123456789"
	_, err := w.Bootstrap(ctx, "too-short")
	wantCode(t, err, edgeward.Invalid, "auth.bootstrap_token")
	_, err = w.Bootstrap(ctx, strings.Repeat("with space ", 5))
	wantCode(t, err, edgeward.Invalid, "auth.bootstrap_token")
	if _, err := w.Bootstrap(ctx, token); err != nil {
		t.Fatal(err)
	}
	p, err := w.Bearer(ctx, token, "")
	if err != nil || !p.Can(auth.Create, auth.Users) || !p.Can(auth.Promote, auth.Endpoint) {
		t.Fatal(p, err)
	}
	if _, err := w.Bootstrap(ctx, "another-token-of-the-right-length"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Bearer(ctx, "another-token-of-the-right-length", "")
	wantCode(t, err, edgeward.Unauthenticated, "auth.token_invalid")
	_, _, err = w.Login(ctx, "admin", "", "127.0.0.1")
	wantCode(t, err, edgeward.Unauthenticated, "auth.wrong_password")
}

func TestSessions(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.admin(t)
	cookie, p, err := w.Login(ctx, "alice", good, "10.0.0.1")
	if err != nil || p.Session == "" {
		t.Fatal(err)
	}
	t.Run("use keeps it alive, but not past the absolute limit", func(t *testing.T) {
		begin := w.now
		defer func() { w.now = begin }()
		for w.now.Sub(begin) < 7*24*time.Hour-4*time.Hour {
			w.now = w.now.Add(4 * time.Hour)
			if _, err := w.Cookie(ctx, cookie, ""); err != nil {
				t.Fatalf("after %v: %v", w.now.Sub(begin), err)
			}
		}
		w.now = w.now.Add(4 * time.Hour)
		_, err := w.Cookie(ctx, cookie, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.session_expired")
	})
	t.Run("idle ends it", func(t *testing.T) {
		begin := w.now
		defer func() { w.now = begin }()
		cookie, _, err := w.Login(ctx, "alice", good, "10.0.0.2")
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(8 * time.Hour)
		_, err = w.Cookie(ctx, cookie, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.session_expired")
	})
	t.Run("logout ends it", func(t *testing.T) {
		if err := w.Logout(ctx, p); err != nil {
			t.Fatal(err)
		}
		_, err := w.Cookie(ctx, cookie, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.session_expired")
	})
	t.Run("a new password ends all others", func(t *testing.T) {
		mine, p, _ := w.Login(ctx, "alice", good, "10.0.0.3")
		other, _, _ := w.Login(ctx, "alice", good, "10.0.0.4")
		if err := w.SetPassword(ctx, p, p.User, good+" staple", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cookie(ctx, mine, ""); err != nil {
			t.Errorf("one's own session: %v", err)
		}
		_, err := w.Cookie(ctx, other, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.session_expired")
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.admin(t)
	var last error
	for range 8 {
		_, _, last = w.Login(ctx, "alice", "wrong wrong wrong", "10.0.0.1")
	}
	wantCode(t, last, edgeward.Exhausted, "auth.too_many")
	if _, _, err := w.Login(ctx, "alice", good, "10.0.0.2"); err != nil {
		t.Errorf("a stranger locked alice out: %v", err)
	}
	w.now = w.now.Add(time.Minute)
	if _, _, err := w.Login(ctx, "alice", good, "10.0.0.1"); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestTokens(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, alice := w.admin(t)
	secret, tok, err := w.CreateToken(ctx, alice, auth.NewToken{Name: "ci", Roles: []auth.Role{auth.Service}, Expires: w.now.Add(time.Hour)}, "")
	if err != nil || !strings.HasPrefix(secret, auth.TokenPrefix) {
		t.Fatal(err)
	}
	p, err := w.Bearer(ctx, secret, "")
	if err != nil || p.Ref() != "token:ci" || !p.Can(auth.Predict, auth.Endpoint) || p.Can(auth.Promote, auth.Endpoint) {
		t.Fatal(p, err)
	}
	t.Run("a token gives no more than it has", func(t *testing.T) {
		_, _, err := w.CreateToken(ctx, p, auth.NewToken{Name: "more", Roles: []auth.Role{auth.Owner}}, "")
		wantCode(t, err, edgeward.Forbidden, "token.roles")
	})
	t.Run("it does not reach another group", func(t *testing.T) {
		if _, err := w.CreateGroup(ctx, alice, "radiology", "", false, ""); err != nil {
			t.Fatal(err)
		}
		for _, group := range []string{"radiology", "no-such-group"} {
			_, err := w.Bearer(ctx, secret, group)
			wantCode(t, err, edgeward.NotFound, "group.not_found")
		}
	})
	t.Run("it falls with its owner's rights", func(t *testing.T) {
		bob, err := w.CreateUser(ctx, alice, auth.NewUser{Name: "bob", Password: good, Group: "main", Roles: []auth.Role{auth.Operator}}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, pb, err := w.Login(ctx, "bob", good, "10.1.1.1")
		if err != nil {
			t.Fatal(err)
		}
		bobs, _, err := w.CreateToken(ctx, pb, auth.NewToken{Name: "bobs", Roles: []auth.Role{auth.Operator}}, "")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := w.Bearer(ctx, bobs, ""); err != nil || !p.Can(auth.Promote, auth.Endpoint) { // and is known from now on
			t.Errorf("the token does not have its owner's right: %v %v", p.Roles, err)
		}
		if _, err := w.SetMember(ctx, alice, bob.ID, alice.Group, []auth.Role{auth.Reviewer}, "moved"); err != nil {
			t.Fatal(err)
		}
		if p, err := w.Bearer(ctx, bobs, ""); err != nil || p.Can(auth.Promote, auth.Endpoint) {
			t.Errorf("the token kept what its owner lost: %v %v", p.Roles, err)
		}
		if err := w.SetDisabled(ctx, alice, bob.ID, true, "left"); err != nil {
			t.Fatal(err)
		}
		_, err = w.Bearer(ctx, bobs, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.token_invalid")
		_, _, err = w.Login(ctx, "bob", good, "10.1.1.1")
		wantCode(t, err, edgeward.Unauthenticated, "auth.wrong_password")
	})
	t.Run("deleted, it is no token", func(t *testing.T) {
		if err := w.DeleteToken(ctx, alice, tok.ID, ""); err != nil {
			t.Fatal(err)
		}
		_, err := w.Bearer(ctx, secret, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.token_invalid")
	})
	t.Run("expired, it says so", func(t *testing.T) {
		secret, _, _ := w.CreateToken(ctx, alice, auth.NewToken{Name: "short", Roles: []auth.Role{auth.Service}, Expires: w.now.Add(time.Hour)}, "")
		w.now = w.now.Add(time.Hour - time.Second)
		if _, err := w.Bearer(ctx, secret, ""); err != nil {
			t.Errorf("a second before: %v", err)
		}
		w.now = w.now.Add(time.Second)
		_, err := w.Bearer(ctx, secret, "")
		wantCode(t, err, edgeward.Unauthenticated, "auth.token_expired")
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, alice := w.admin(t)
	wantCode(t, w.SetDisabled(ctx, alice, alice.User, true, ""), edgeward.Conflict, "user.last_admin")
	wantCode(t, w.SetAdmin(ctx, alice, alice.User, false, ""), edgeward.Conflict, "user.last_admin")
}

func TestEveryChangeNamesItsPrincipalAndNoSecret(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, alice := w.admin(t)
	secret, _, _ := w.CreateToken(ctx, alice, auth.NewToken{Name: "ci", Roles: []auth.Role{auth.Service}}, "for the build")
	_, _, _ = w.Login(ctx, "my password in the name field", "wrong wrong wrong", "10.0.0.1")
	es, err := w.db.Events(ctx, 0, 100)
	if err != nil || len(es) < 4 {
		t.Fatal(es, err)
	}
	for _, e := range es {
		raw, _ := e.Encode()
		for _, s := range []string{secret, good, "name field"} {
			if strings.Contains(string(raw), s) {
				t.Errorf("event %d holds a secret: %s", e.Seq, raw)
			}
		}
		if e.Principal == "" {
			t.Errorf("event %d names nobody", e.Seq)
		}
	}
}

// TestAnUnknownNameCostsTheSame compares the two paths roughly: one that skips the password would be a thousand times faster.
func TestAnUnknownNameCostsTheSame(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.admin(t)
	cost := func(name string) time.Duration {
		best := time.Hour
		for i := range 3 {
			start := time.Now()
			_, _, err := w.Login(ctx, name, "wrong wrong wrong", fmt.Sprintf("10.9.0.%d", i))
			wantCode(t, err, edgeward.Unauthenticated, "auth.wrong_password")
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := cost("alice"), cost("nobody")
	if unknown < known/4 || known < unknown/4 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}
