package work

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

func TestAnUnknownFieldNamesTheNearest(t *testing.T) {
	v := &models.Version{Manifest: models.Manifest{Encoding: []byte(`{"features":[{"name":"age","kind":"numeric"},{"name":"ward","kind":"categorical","categories":["a","b"]}]}`)}}
	fields, err := Fields(*v)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rowInputs(fields, v, map[string]any{"wrad": "a"})
	if p := edgeward.ParamsOf(err); edgeward.CodeOf(err) != "predict.unknown_field" || p["field"] != "wrad" || p["nearest"] != "ward" || !strings.Contains(edgeward.HintOf(err), "age, ward") {
		t.Errorf("%v, params %v, hint %q", err, p, edgeward.HintOf(err))
	}
	if notes := takenForMissing(fields, map[string]any{"ward": "bb", "age": 1.0}); len(notes) != 1 || !strings.Contains(notes[0], `nearest is "b"`) {
		t.Errorf("an unseen category is not said: %q", notes)
	}
	if notes := takenForMissing(fields, map[string]any{"ward": "b", "age": 1.0}); notes != nil {
		t.Errorf("a known category is said: %q", notes)
	}
	err = ofRow(3, err)
	if w := edgeward.Words(err); !strings.HasPrefix(w, `row 3: there is no field "wrad"`) || edgeward.ParamsOf(err)["row"] != "3" || edgeward.CodeOf(err) != "predict.unknown_field" {
		t.Errorf("%q, %v", w, edgeward.ParamsOf(err))
	}
}

func TestInputsAreTakenExactlyOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		name  string
		d     tensor.Datatype
		value any
		code  string
	}{
		{"a whole number", tensor.Int32, 7.0, ""},
		{"half a number", tensor.Int64, 1.5, "input.value"},
		{"too large for its type", tensor.Uint8, 256.0, "input.value"},
		{"below zero without a sign", tensor.Uint16, -1.0, "input.value"},
		{"more than JSON can hold exactly", tensor.Int64, 1e17, "input.value"},
		{"a text", tensor.Bytes, "ward a", ""},
		{"a number for a text", tensor.Bytes, 1.0, "input.datatype"},
		{"a truth", tensor.Bool, true, ""},
		{"a number for a truth", tensor.Bool, 1.0, "input.datatype"},
		{"half precision", tensor.FP16, 1.0, "input.datatype"},
		{"texts and numbers", tensor.FP32, []any{1.0, "x"}, "input.datatype"},
	} {
		shape := []int64{-1}
		v := &models.Version{Manifest: models.Manifest{Signature: tensor.Signature{Inputs: []tensor.Spec{{Name: "x", Datatype: c.d, Shape: shape}}}}}
		fields, _ := Fields(*v)
		in, err := rowInputs(fields, v, map[string]any{"x": c.value})
		if edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
		}
		if c.code == "" {
			if err := v.Manifest.Signature.Check(in); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestPredictionsAreNamed(t *testing.T) {
	of := func(m models.Manifest, out ...tensor.Tensor) wire.Prediction {
		p, err := prediction(serve.Answer{ID: "1", Version: 2, Role: "canary", Of: &models.Version{Manifest: m}, Outputs: out}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	f := func(name string, v ...float32) tensor.Tensor {
		x, err := tensor.FromFloat32s(name, []int64{int64(len(v))}, v)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	label, _ := tensor.FromInt64s("label", []int64{1}, []int64{2})
	p := of(models.Manifest{Classes: []string{"a", "b", "c"}, Signature: tensor.Signature{Outputs: []tensor.Spec{{Name: "label"}, {Name: "probability"}}}}, label, f("probability", .25, .25, .5))
	if p.Outputs["label"] != "c" || p.Classes["c"] != .5 || len(p.Classes) != 3 || p.Role != "canary" || p.Interval != nil {
		t.Errorf("%+v", p)
	}
	if p := of(models.Manifest{Classes: []string{"no", "yes"}}, f("probability", .75)); p.Classes["yes"] != .75 || p.Classes["no"] != .25 {
		t.Errorf("two classes: %+v", p.Classes)
	}
	p = of(models.Manifest{Interval: &models.Interval{Level: .8}}, f("forecast", 5), f("low", 4), f("high", 7))
	if p.Interval == nil || *p.Interval != (wire.PredictInterval{Low: 4, High: 7, Level: .8}) || p.Outputs["forecast"] != 5.0 {
		t.Errorf("%+v", p)
	}
	if p := of(models.Manifest{}, f("low", 4), f("high", 7)); p.Interval != nil {
		t.Errorf("an interval of unknown level: %+v", p.Interval)
	}
	yes, _ := tensor.FromBools("ok", []int64{1}, []bool{true})
	none, _ := tensor.FromStrings("none", []int64{0}, nil)
	if p := of(models.Manifest{}, yes, none); p.Outputs["ok"] != true || len(p.Outputs["none"].([]any)) != 0 {
		t.Errorf("%+v", p.Outputs)
	}
}

func TestSnippetsNameAServerOnly(t *testing.T) {
	for _, base := range []string{"", "ward:8080", "ftp://ward", "http://", "http://ward;reboot", "http://$(id)", "http://me:secret@ward", "http://ward/x", "http://ward?x=1", "http://ward#x", "http://a b", "javascript://ward"} {
		if _, err := (&Work{}).Snippets(t.Context(), "g", "beds", base, ""); edgeward.CodeOf(err) != "snippet.url" {
			t.Errorf("%q: %v", base, err)
		}
	}
	for _, base := range []string{"http://127.0.0.1:8080", "https://ward.example:443/", "http://[::1]:8080"} {
		u, err := url.Parse(base)
		if err != nil || !hostOnly.MatchString(u.Host) {
			t.Errorf("%q is refused: %v", base, err)
		}
	}
}

func TestSnippetsQuoteEveryName(t *testing.T) {
	base, _ := url.Parse("https://ward:8080")
	v := &models.Version{Manifest: models.Manifest{Encoding: []byte("{}"), Signature: tensor.Signature{Inputs: []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}}}}
	fields := []wire.Field{{Name: "it's `odd`", Kind: "number", Example: 1.5}, {Name: "$ward", Kind: "category", Choices: []string{`a"'`}, Example: `a"'`}}
	all := snippets(base, "beds", v, fields)
	var langs []string
	for _, s := range all {
		langs = append(langs, s.Lang)
		if s.Lang != "json" && !strings.Contains(s.Code, "ward:8080") {
			t.Errorf("%s does not say where:\n%s", s.Lang, s.Code)
		}
	}
	if want := []string{"curl", "python", "go", "json", "v2-curl", "v2-python"}; !slices.Equal(langs, want) {
		t.Errorf("%v, want %v", langs, want)
	}
	if !strings.Contains(all[0].Code, `it'\''s`) || strings.Contains(all[2].Code, "`odd`") {
		t.Errorf("quotes of the body end those of the program:\n%s\n%s", all[0].Code, all[2].Code)
	}
	big := snippets(base, "beds", &models.Version{Manifest: models.Manifest{Signature: tensor.Signature{Inputs: []tensor.Spec{{Name: "image", Datatype: tensor.FP32, Shape: []int64{-1, 3, 64, 64}}}}}},
		[]wire.Field{{Name: "image", Kind: "tensor", Datatype: "FP32", Shape: []int64{-1, 3, 64, 64}, Example: filled([]int64{-1, 3, 64, 64}, tensor.FP32)}})
	for _, s := range big {
		if s.Lang != "json" && (len(s.Code) > 4096 || !strings.Contains(s.Code, "request.json")) {
			t.Errorf("%s shows %d bytes", s.Lang, len(s.Code))
		}
	}
}

func TestBrokerFlagsReachWhatIsConfigured(t *testing.T) {
	for _, c := range []struct{ broker, user, want string }{
		{"tcp://127.0.0.1:1883", "", "-h 127.0.0.1 -p 1883"},
		{"tcp://[::]:1884", "", "-h ward -p 1884"}, // listens everywhere: as programs reach this server
		{"tcp://0.0.0.0:1884", "", "-h ward -p 1884"},
		{"mqtt://plant", "", "-h plant -p 1883"},
		{"tls://plant", "o'hara", `-h plant -p 8883 --cafile "$MQTT_CA" -u 'o'\''hara' -P "$MQTT_PASSWORD"`},
		{"ws://plant:80", "", ""},
		{"tcp://$(id):1883", "", ""},
		{"", "", ""},
	} {
		if got, ok := brokerFlags(c.broker, "ward", c.user); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", c.broker, got, c.want)
		}
	}
}
