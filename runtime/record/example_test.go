package record_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// A forecast is recorded, its truth comes a day later, and the pair is read from the stream.
func Example() {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	today := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	log, err := record.Open(dir, record.Options{Now: func() time.Time { return today }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	y, _ := tensor.FromFloat32s("forecast", []int64{1, 1}, []float32{231})
	err = log.Add(record.Prediction{
		ID: "01HQWZ0000000000000000000A", Group: "ward", Endpoint: "beds", Version: 1, Role: record.Live,
		ReceivedAt: today, EventTime: today, Target: today.AddDate(0, 0, 1), Outputs: []tensor.Tensor{y},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	truth := 219.0
	_, err = log.AddFeedback(context.Background(), []record.Feedback{{
		Group: "ward", PredictionID: "01HQWZ0000000000000000000A", Source: "his", Kind: record.Truth, Value: &truth, At: today.AddDate(0, 0, 2),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	pairs, cursor := log.After("ward", "beds", 0, 100)
	for _, p := range pairs {
		fmt.Printf("version %d said %g for %s, and it was %g\n", p.Version, p.Values[0], p.Target.Format(time.DateOnly), p.Truth)
	}
	again, _ := log.After("ward", "beds", cursor, 100)
	fmt.Println(len(again), "new pairs, truth is complete to", log.Watermark("ward", "beds").Format(time.DateOnly))
	// Output:
	// version 1 said 231 for 2024-03-02, and it was 219
	// 0 new pairs, truth is complete to 2024-03-01
}
