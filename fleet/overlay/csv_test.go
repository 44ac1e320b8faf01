package overlay_test

import (
	"strings"
	"testing"

	"edgeward"
	"edgeward/fleet/overlay"
)

func TestAListOfExpectedServers(t *testing.T) {
	docs, err := overlay.ParseClaims([]byte("\ufeffName, Serial ,site,line,approve\r\nward-3, CZ1 ,north,3,yes\r\nward-4,CZ2,,,\r\n"))
	if err != nil || len(docs) != 2 || docs[0].Serial != "CZ1" || docs[0].Site != "north" || docs[0].Tags["line"] != "3" || !docs[0].Approve || docs[1].Approve || docs[1].Tags != nil {
		t.Errorf("%+v, %v", docs, err)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"no name":              "serial,site\nCZ1,north\n",
		"a column twice":       "name,serial,Serial\na,b,c\n",
		"a server of nobody":   "name,site\nward-3,north\n",
		"a name that is none":  "name,serial\nWard 3,CZ1\n",
		"a tag that is none":   "name,serial,Line No\nward-3,CZ1,3\n",
		"a reserved tag":       "name,serial,os\nward-3,CZ1,linux\n",
		"a field too many":     "name,serial\nward-3,CZ1,north\n",
		"perhaps":              "name,serial,approve\nward-3,CZ1,perhaps\n",
		"a quote without end":  "name,serial\nward-3,\"CZ1\n",
		"a quote in the first": "name,serial\nwar\"d-3,CZ1\n",
		"longer than all text": strings.Repeat("name,", overlay.MaxBytes/4),
	} {
		if docs, err := overlay.ParseClaims([]byte(text)); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %+v, %v", name, docs, err)
		}
	}
}

func FuzzParseClaims(f *testing.F) {
	f.Add([]byte("name,serial,line\nward-3,CZ1,3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := overlay.ParseClaims(b)
		if err != nil {
			return
		}
		yaml, err := overlay.Write(docs)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := overlay.Parse(yaml); err != nil || !same(docs, again) {
			t.Errorf("%s is not read again: %v", yaml, err)
		}
	})
}
