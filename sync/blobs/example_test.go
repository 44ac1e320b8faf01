package blobs_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"edgeward/sync/blobs"
)

func Example() {
	dir, _ := os.MkdirTemp("", "blobs")
	defer os.RemoveAll(dir)
	ctx := context.Background()

	s, err := blobs.Open(dir, time.Now)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, n, err := s.Put(ctx, strings.NewReader("a model"), 1<<20)
	fmt.Println(d.Short(), n, err)
	b, err := s.ReadAll(ctx, d, 1<<20)
	fmt.Println(string(b), err)
	// Output:
	// 97ff8a35544d 7 <nil>
	// a model <nil>
}
