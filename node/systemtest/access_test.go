package systemtest

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"edgeward"
	"edgeward/node/api"
	"edgeward/node/auth"
	"edgeward/node/client"
	"edgeward/node/wire"
)

const password = "a correct battery of horses 17"

// token makes one with roles in the current group.
func token(t testing.TB, c *client.Client, roles ...string) string {
	t.Helper()
	n := must[client.Token](t)(c.CreateToken(within(t, time.Minute), client.NewToken{Name: "t-" + strings.Join(roles, "-"), Roles: roles, Reason: "a test"}))
	if n.Secret == "" {
		t.Fatal("the new token has no secret")
	}
	return n.Secret
}

func TestFirstStart(t *testing.T) {
	s := start(t, options{noToken: true})
	link := s.node.SetupLink()
	_, secret, ok := strings.Cut(link, "/setup#")
	if !ok || len(secret) < 20 {
		t.Fatalf("the link is %q", link)
	}
	nobody := s.as(t, "", "")
	ctx := within(t, time.Minute)
	if h := must[client.Health](t)(nobody.Health(ctx)); !h.Setup {
		t.Errorf("health does not ask for set-up: %+v", h)
	}
	setup := func(secret, user, password string) answer {
		return s.request(t, "POST", "/api/v1/setup", "", fmt.Sprintf(`{"secret":%q,"user":%q,"password":%q}`, secret, user, password))
	}
	t.Run("no default password", func(t *testing.T) {
		for _, word := range []string{"admin", "edgeward", "password", ""} {
			if a := s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":"admin","password":%q}`, word)); a.StatusCode < 400 {
				t.Errorf("admin/%s: %s", word, a.Status)
			}
		}
	})
	t.Run("a wrong secret and a weak password do not use the link up", func(t *testing.T) {
		if a := setup("wrong"+secret, "head", password); a.StatusCode != http.StatusUnauthorized || a.problem().Code != "auth.setup_secret" || a.problem().Hint == "" {
			t.Errorf("%s %s", a.Status, a.body)
		}
		if a := setup(secret, "head", "short"); a.StatusCode != http.StatusUnprocessableEntity || a.problem().Hint == "" {
			t.Errorf("%s %s", a.Status, a.body)
		}
	})
	a := setup(secret, "head", password)
	if a.StatusCode != http.StatusOK || len(a.Cookies()) == 0 {
		t.Fatalf("the link does not work: %s %s", a.Status, a.body)
	}
	c := a.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %+v", c)
	}
	cookie := c.Name + "=" + c.Value
	t.Run("the link works once", func(t *testing.T) {
		if a := setup(secret, "second", password); a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusConflict {
			t.Errorf("%s %s", a.Status, a.body)
		}
	})
	t.Run("a page of another origin may not write with the cookie", func(t *testing.T) {
		for _, header := range [][]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {}} {
			a := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"x","roles":["owner"]}`, append([]string{"Cookie", cookie}, header...)...)
			if a.StatusCode != http.StatusForbidden || a.problem().Code != "request.origin" {
				t.Errorf("%v: %s %s", header, a.Status, a.body)
			}
		}
		if a := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"mine","roles":["owner"]}`, "Cookie", cookie, "Origin", s.url); a.StatusCode != http.StatusCreated {
			t.Errorf("from our own page: %s %s", a.Status, a.body)
		}
	})
	t.Run("a name that is not ours is not answered", func(t *testing.T) {
		for _, path := range []string{"/", "/api/v1/health", "/v2/health/live", "/metrics"} {
			if a := s.request(t, "GET", path, "", "", "Host", "rebind.evil.example:80"); a.StatusCode != http.StatusForbidden || a.problem().Code != "request.host" && a.problem().Error == "" {
				t.Errorf("%s: %s %.200s", path, a.Status, a.body)
			}
		}
	})
	t.Run("signed out is signed out", func(t *testing.T) {
		if a := s.request(t, "GET", "/api/v1/me", "", "", "Cookie", cookie); a.StatusCode != http.StatusOK {
			t.Errorf("%s", a.Status)
		}
		if a := s.request(t, "DELETE", "/api/v1/session", "", "", "Cookie", cookie, "Origin", s.url); a.StatusCode >= 300 {
			t.Errorf("%s %s", a.Status, a.body)
		}
		if a := s.request(t, "GET", "/api/v1/me", "", "", "Cookie", cookie); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("afterwards %s", a.Status)
		}
	})
	login := s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":"head","password":%q}`, password))
	if login.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", login.Status, login.body)
	}
	admin := login.Cookies()[0].Name + "=" + login.Cookies()[0].Value
	t.Run("the audit log knows all of it", func(t *testing.T) {
		a := s.request(t, "GET", "/api/v1/audit?limit=1000", "", "", "Cookie", admin)
		for _, want := range []string{"user.created", "one-time link", "user:head"} {
			if !strings.Contains(string(a.body), want) {
				t.Errorf("no %q in %s", want, a.body)
			}
		}
		if strings.Contains(string(a.body), secret) || strings.Contains(string(a.body), password) {
			t.Error("a secret stands in the log")
		}
		if v := s.request(t, "GET", "/api/v1/audit/verify", "", "", "Cookie", admin); !strings.Contains(string(v.body), `"ok":true`) {
			t.Errorf("%s", v.body)
		}
	})
}

func TestAccessEnds(t *testing.T) {
	s := start(t, options{})
	ctx := within(t, time.Minute)
	u := must[client.User](t)(s.CreateUser(ctx, client.NewUser{Name: "line-lead", Password: password, Group: "main", Roles: []string{"operator"}, Reason: "a test"}))
	login := func() answer {
		return s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":"line-lead","password":%q}`, password))
	}
	a := login()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	cookie := a.Cookies()[0].Name + "=" + a.Cookies()[0].Value
	made := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"hers","roles":["operator"]}`, "Cookie", cookie, "Origin", s.url)
	var hers client.Token
	unmarshal(t, made.body, &hers)
	me := func(how, credential string) int {
		if how == "cookie" {
			return s.request(t, "GET", "/api/v1/me", "", "", "Cookie", credential).StatusCode
		}
		return s.request(t, "GET", "/api/v1/me", credential, "").StatusCode
	}
	if me("cookie", cookie) != 200 || me("token", hers.Secret) != 200 {
		t.Fatal("cookie or token does not work")
	}
	t.Run("a wrong token is nobody, on every interface", func(t *testing.T) {
		for _, path := range []string{"/api/v1/me", "/v2/models/x", "/api/v1/events", "/api/v1/node"} {
			a := s.request(t, "GET", path, bootstrap+"x", "")
			if a.StatusCode != http.StatusUnauthorized || len(a.body) == 0 {
				t.Errorf("%s: %s %s", path, a.Status, a.body)
			}
		}
		_, err := s.as(t, "wrong", "").Me(ctx)
		wantError(t, err, edgeward.Unauthenticated, "auth.token_invalid")
	})
	t.Run("a person who is disabled is out at once", func(t *testing.T) {
		if err := s.SetDisabled(ctx, u.Name, true, "left the company"); err != nil {
			t.Fatal(err)
		}
		if c, k := me("cookie", cookie), me("token", hers.Secret); c != 401 || k != 401 {
			t.Errorf("cookie %d, token %d", c, k)
		}
		if a := login(); a.StatusCode < 400 {
			t.Errorf("she signs in: %s", a.Status)
		}
		if err := s.SetDisabled(ctx, u.Name, false, "came back"); err != nil {
			t.Fatal(err)
		}
		if k := me("token", hers.Secret); k != 200 {
			t.Errorf("enabled again, her token answers %d", k)
		}
	})
	t.Run("a deleted token is nobody", func(t *testing.T) {
		if err := s.DeleteToken(ctx, hers.ID); err != nil {
			t.Fatal(err)
		}
		if k := me("token", hers.Secret); k != 401 {
			t.Errorf("%d", k)
		}
	})
}

// routes are the declared ones of an API that cannot be called.
func routes() []route {
	s := api.New(api.Parts{Now: time.Now, UI: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}}, Health: func() wire.Health { return wire.Health{} }}, slog.New(slog.DiscardHandler))
	var out []route
	for _, r := range s.Routes() {
		out = append(out, route{r.Method, r.Path, r.Verb, r.Resource, r.Public})
	}
	return out
}

type route struct {
	method, path string
	verb         auth.Verb
	resource     auth.Resource
	public       string
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}|:([a-z]+)`)

// fill puts values in place of a route's parameters.
func (r route) fill(value func(name string) string) string {
	return parameter.ReplaceAllStringFunc(r.path, func(p string) string { return value(strings.Trim(p, "{}:")) })
}

// TestRoleMatrix asks every declared route as nobody and in every role: what answers is what auth's table says.
func TestRoleMatrix(t *testing.T) {
	s := start(t, options{})
	ctx := within(t, time.Minute)
	tokens := map[auth.Role]string{}
	for _, role := range auth.Roles {
		tokens[role] = token(t, s.Client, string(role))
	}
	absent := func(name string) string {
		if name == "number" || name == "v" {
			return "1"
		}
		return "absent"
	}
	n := 0
	for _, r := range routes() {
		if r.public != "" || r.method == http.MethodHead {
			continue
		}
		n++
		path := r.fill(absent)
		body := ""
		if r.method != http.MethodGet && r.method != http.MethodDelete {
			body = "{}"
		}
		if a := s.request(t, r.method, path, "", body); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody: %s %s answers %s", r.method, path, a.Status)
		}
		for _, role := range auth.Roles {
			allowed := auth.Allowed([]auth.Role{role}, r.verb, r.resource)
			if allowed && (r.path == "/api/v1/events" || r.path == "/api/v1/backup") {
				continue // these stream
			}
			a := s.request(t, r.method, path, tokens[role], body)
			switch {
			case a.StatusCode == http.StatusUnauthorized:
				t.Errorf("%s: %s %s answers %s", role, r.method, path, a.Status)
			case a.StatusCode == http.StatusForbidden && allowed:
				t.Errorf("%s may %s %s, and %s %s answers %s %s", role, r.verb, r.resource, r.method, path, a.Status, a.body)
			case a.StatusCode != http.StatusForbidden && !allowed:
				t.Errorf("%s may not %s %s, and %s %s answers %s", role, r.verb, r.resource, r.method, path, a.Status)
			case a.StatusCode >= 500 && a.StatusCode != http.StatusServiceUnavailable:
				t.Errorf("%s: %s %s answers %s %s", role, r.method, path, a.Status, a.body)
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d routes", n)
	}
	must[client.Me](t)(s.Me(ctx))
}

// TestAnotherGroupsObjectsAreAbsent asks every route that reads for what another group has: the answer is that of what
// nobody has, to the byte.
func TestAnotherGroupsObjectsAreAbsent(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 5*time.Minute)
	must[client.Group](t)(s.CreateGroup(ctx, client.NewGroup{Name: "press-shop", Reason: "a test"}))
	must[client.Group](t)(s.CreateGroup(ctx, client.NewGroup{Name: "paint-shop", Reason: "a test"}))
	tokenOf := map[string]string{}
	owner := func(group string) *client.Client {
		u := must[client.User](t)(s.CreateUser(ctx, client.NewUser{Name: "owner-of-" + group, Password: password, Group: group, Roles: []string{"owner"}, Reason: "a test"}))
		a := s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":%q,"password":%q}`, u.Name, password))
		if a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		made := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"own","roles":["owner"]}`, "Cookie", a.Cookies()[0].Name+"="+a.Cookies()[0].Value, "Origin", s.url)
		var k client.Token
		unmarshal(t, made.body, &k)
		tokenOf[group] = k.Secret
		return s.as(t, k.Secret, "")
	}
	press := owner("press-shop")
	owner("paint-shop")

	var b strings.Builder
	b.WriteString("force,temp,defects\n")
	for i := range 200 {
		fmt.Fprintf(&b, "%d,%d,%d\n", 100+i%37, 20+i%11, (i*7)%5+i%37)
	}
	imported(t, press, "stamping", "stamping.csv", b.String())
	a := must[client.RecipeAnswer](t)(press.Recipe(ctx, "stamping", 0, client.RecipeRequest{Target: "defects"}))
	trained(t, press, "defects", client.TrainRequest{DataSet: "stamping", Recipe: a.Recipe})
	p := must[[]client.Prediction](t)(press.Predict(ctx, "defects", client.PredictRequest{Rows: []map[string]any{{"force": 110.0, "temp": 22.0}}}))
	jobs := must[client.List[client.Job]](t)(press.Jobs(ctx, ""))

	theirs := map[string]string{"group": "press-shop", "number": "1", "v": "1", "file": "model.onnx", "m": "defects", "alias": "champion", "user": "owner-of-press-shop"}
	values := func(r route, name string) string {
		if v, ok := theirs[name]; ok {
			return v
		}
		switch {
		case strings.Contains(r.path, "/datasets/"):
			return "stamping"
		case strings.Contains(r.path, "/jobs/"):
			return jobs.Items[0].ID
		case strings.Contains(r.path, "/predictions/"):
			return p[0].ID
		}
		return "defects"
	}
	asked := 0
	for _, r := range routes() {
		if r.method != http.MethodGet || !parameter.MatchString(r.path) || r.public != "" {
			continue
		}
		there := r.fill(func(n string) string { return values(r, n) })
		nowhere := r.fill(func(n string) string {
			switch v := values(r, n); v {
			case "stamping", "defects", "owner-of-press-shop":
				return strings.Repeat("z", len(v))
			case jobs.Items[0].ID, p[0].ID:
				return "01ARZ3NDEKTSV4RRFFQ69G5FAV"
			default:
				return v
			}
		})
		asked++
		own := s.request(t, "GET", there, tokenOf["press-shop"], "")
		administers := r.resource == auth.Fleet && r.verb == auth.Export // no member of a group may
		if own.StatusCode >= 400 && !slices.Contains([]int{404, 409}, own.StatusCode) && !administers {
			t.Errorf("its own group: GET %s answers %s %s", there, own.Status, own.body)
		}
		other, none := s.request(t, "GET", there, tokenOf["paint-shop"], ""), s.request(t, "GET", nowhere, tokenOf["paint-shop"], "")
		if got, want := plain(other), plain(none); got != want {
			t.Errorf("GET %s tells another group that it exists:\n%s\n%s", there, got, want)
		}
		if own.StatusCode == 200 && other.StatusCode == 200 && string(own.body) == string(other.body) && len(own.body) > 40 {
			t.Errorf("GET %s shows another group's object", there)
		}
	}
	if asked < 15 {
		t.Errorf("only %d routes asked", asked)
	}
	t.Run("a group one does not belong to cannot be chosen", func(t *testing.T) {
		for _, group := range []string{"press-shop", "no-such-group"} {
			_, err := s.as(t, tokenOf["paint-shop"], group).Models(ctx, "")
			wantError(t, err, edgeward.NotFound, "group.not_found")
		}
	})
	t.Run("feedback to another group's prediction finds none", func(t *testing.T) {
		y := 3.0
		got := must[client.FeedbackAnswer](t)(s.as(t, tokenOf["paint-shop"], "").Feedback(ctx, client.Feedback{Prediction: p[0].ID, Source: "x", Kind: "truth", Value: &y}))
		if got.Accepted != 0 || got.Missing != 1 {
			t.Errorf("%+v", got)
		}
	})
}

var names = regexp.MustCompile(`z{5,}|01[0-9A-Z]{24}|stamping|defects|owner-of-press-shop`)

// plain is an answer without what differs in any case: names, request id, date.
func plain(a answer) string {
	return fmt.Sprintf("%d %s %s", a.StatusCode, a.Header.Get("Content-Type"), names.ReplaceAllString(string(a.body), "*"))
}
