package segment_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"edgeward/runtime/segment"
)

func Example() {
	dir, _ := os.MkdirTemp("", "segment")
	defer os.RemoveAll(dir)
	ctx := context.Background()

	l, err := segment.Open(dir, segment.Options{Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	l.Append([]byte("a prediction"), []byte("another one"))         // durable within 200 ms of Run
	seq, err := l.AppendDurable(ctx, []byte("feedback of a nurse")) // durable now
	fmt.Println(seq, err)
	for f, err := range l.Read(ctx, 2) {
		fmt.Println(f.Seq, string(f.Payload), err)
	}
	// Output:
	// 3 <nil>
	// 2 another one <nil>
	// 3 feedback of a nurse <nil>
}
