package worker_test

import (
	"context"
	"fmt"
	"strings"

	"edgeward"
	"edgeward/runtime/worker"
)

// The child's half is on the first line of main: worker.Dispatch(worker.Kinds{"test": testService}). Its handler "panic"
// takes the process down; the server gets an error, and the next call a new process.
func Example() {
	w := worker.New(worker.Options{Kind: "test", MemoryLimit: 1 << 30})
	defer w.Close()
	_, err := w.Call(context.Background(), "panic", nil, nil)
	fmt.Println(edgeward.CodeOf(err), strings.Contains(edgeward.HintOf(err), "model is bad"))
	out, err := w.Call(context.Background(), "echo", []byte("still here"), nil)
	fmt.Println(string(out), err)
	// Output:
	// worker.died true
	// still here <nil>
}
