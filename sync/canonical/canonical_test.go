package canonical_test

import (
	"testing"

	"edgeward/sync/canonical"
)

// TestTheRulesOfRFC8785 takes the examples of the RFC's sections 3.2.2 and 3.2.3: numbers, strings, order of keys.
func TestTheRulesOfRFC8785(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{map[string]any{"numbers": []float64{333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001}, "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": []any{nil, true, false}},
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{map[string]int{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
			"{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,\"\ufb33\":3}"},
		{[]float64{0, -0.0, 1e21, 1e20, 1e-6, 1e-7, 9007199254740993}, `[0,0,1e+21,100000000000000000000,0.000001,1e-7,9007199254740992]`},
		{struct {
			B string `json:"b"`
			A *int   `json:"a"`
		}{"<&>", nil}, `{"a":null,"b":"<&>"}`},
	} {
		got, err := canonical.JSON(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
	if _, err := canonical.JSON(func() {}); err == nil {
		t.Error("a function has no JSON")
	}
}
