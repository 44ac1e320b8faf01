package spec

import (
	"strings"
	"testing"
)

func TestAWitnessOfMoreEventsThanThereCanBe(t *testing.T) {
	h := strings.Repeat("ab", 32)
	for size, ok := range map[uint64]bool{0: false, 1: true, 1 << 53: true, 1<<53 + 1: false, 1 << 63: false, 1<<64 - 1: false} {
		if err := (Witness{Size: size, Root: h, Last: h}).check(); (err == nil) != ok {
			t.Errorf("%d events: %v", size, err)
		}
	}
}
