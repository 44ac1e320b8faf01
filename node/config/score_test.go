package config_test

import (
	"testing"

	"edgeward/node/config"
)

func TestSinksOfTheAdministrator(t *testing.T) {
	for _, c := range []struct {
		drop, hook string
		ok         bool
	}{
		{"lab=/srv/lab", "erp=https://erp.example/in /etc/key", true},
		{"", "erp=http://127.0.0.1:9/in /etc/key", true},
		{"lab=srv", "", false}, {"lab=/srv/../etc", "", false}, {"Lab=/srv", "", false}, {"/srv", "", false},
		{"", "erp=https://erp.example/in", false}, {"", "erp=http://erp.example/in /k", false}, {"", "erp=https://user:pass@erp.example/ /k", false},
		{"", "erp=file:///etc/passwd /k", false}, {"", "erp=https://erp.example/ key", false}, {"", "https://erp.example/ /k", false},
	} {
		cfg := config.Default("/var/lib/edgeward")
		if c.drop != "" {
			cfg.Score.Drops = []string{c.drop}
		}
		if c.hook != "" {
			cfg.Score.Webhooks = []string{c.hook}
		}
		_, err1 := cfg.Drops()
		_, err2 := cfg.Webhooks()
		if ok := err1 == nil && err2 == nil; ok != c.ok {
			t.Errorf("%q %q: %v %v", c.drop, c.hook, err1, err2)
		}
	}
	cfg := config.Default("/var/lib/edgeward")
	cfg.Score.Drops = []string{"lab=/a", "lab=/b"}
	if _, err := cfg.Drops(); err == nil {
		t.Error("one name twice")
	}
}
