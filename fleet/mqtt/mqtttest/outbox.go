// Package mqtttest has the contract that every mqtt.Outbox is held to, and an Outbox in memory for tests of others.
package mqtttest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"edgeward/fleet/mqtt"
)

// Subject is an outbox under test with the side that fills it.
type Subject struct {
	mqtt.Outbox
	// Append adds a message and returns its ID. Real outboxes do it inside the transaction of the fact.
	Append func(ctx context.Context, m mqtt.Message) (uint64, error)
	// Reopen closes the storage and opens it again, as after a crash; nil when there is none.
	Reopen func() Subject
}

// Outbox checks the contract of mqtt.Outbox. open gives an empty subject.
func Outbox(t *testing.T, open func(t *testing.T) Subject) {
	t.Run("an empty outbox has nothing", func(t *testing.T) {
		s := open(t)
		wantIDs(t, s, 0, 10)
		wantLen(t, s, 0)
		if err := s.Done(t.Context(), 1, 99); err != nil {
			t.Errorf("Done of what is not there: %v", err)
		}
	})
	t.Run("messages come back whole, oldest first, with growing ids", func(t *testing.T) {
		s := open(t)
		ids := fill(t, s, 5)
		got, err := s.Next(t.Context(), 0, 10)
		if err != nil || len(got) != 5 {
			t.Fatalf("Next = %d messages, %v", len(got), err)
		}
		for i, m := range got {
			want := message(i)
			want.ID = ids[i]
			if m.ID != want.ID || m.Topic != want.Topic || m.Key != want.Key || string(m.Payload) != string(want.Payload) || m.Retained != want.Retained {
				t.Errorf("message %d is %+v, want %+v", i, m, want)
			}
			if i > 0 && ids[i] <= ids[i-1] || ids[i] == 0 {
				t.Errorf("ids %v do not grow from 1 on", ids)
			}
		}
	})
	t.Run("after and n bound what Next returns, and it removes nothing", func(t *testing.T) {
		s := open(t)
		ids := fill(t, s, 5)
		wantIDs(t, s, 0, 2, ids[:2]...)
		wantIDs(t, s, ids[1], 2, ids[2:4]...)
		wantIDs(t, s, ids[4], 2)
		wantIDs(t, s, 0, 100, ids...)
		wantLen(t, s, 5)
	})
	t.Run("Done removes these and no others, in any order, twice", func(t *testing.T) {
		s := open(t)
		ids := fill(t, s, 5)
		for range 2 {
			if err := s.Done(t.Context(), ids[3], ids[0]); err != nil {
				t.Fatal(err)
			}
			wantIDs(t, s, 0, 100, ids[1], ids[2], ids[4])
			wantLen(t, s, 3)
		}
	})
	t.Run("ids are never used again", func(t *testing.T) {
		s := open(t)
		ids := fill(t, s, 3)
		if err := s.Done(t.Context(), ids...); err != nil {
			t.Fatal(err)
		}
		if s.Reopen != nil {
			s = s.Reopen()
		}
		if next := fill(t, s, 1); next[0] <= ids[2] {
			t.Errorf("id %d after %d", next[0], ids[2])
		}
	})
	t.Run("messages and Done survive reopening", func(t *testing.T) {
		s := open(t)
		if s.Reopen == nil {
			t.Skip("this outbox has no storage")
		}
		ids := fill(t, s, 4)
		if err := s.Done(t.Context(), ids[1]); err != nil {
			t.Fatal(err)
		}
		wantIDs(t, s.Reopen(), 0, 100, ids[0], ids[2], ids[3])
	})
	t.Run("appending while reading", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 50 {
				if _, err := s.Append(context.WithoutCancel(t.Context()), message(i)); err != nil {
					t.Error(err)
				}
			}
		})
		seen := map[string]bool{}
		for len(seen) < 50 && !t.Failed() {
			batch, err := s.Next(t.Context(), 0, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range batch {
				seen[m.Key] = true
				if err := s.Done(t.Context(), m.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		wg.Wait()
		wantLen(t, s, 0)
	})
}

func message(i int) mqtt.Message {
	key := fmt.Sprintf("key-%d", i)
	return mqtt.Message{Topic: "edgeward/v1/site/node/drift/m", Key: key, Retained: i%2 == 0,
		Payload: fmt.Appendf(nil, `{"schema":"edgeward.test/1","seq":%d,"key":%q}`, i+1, key)}
}

func fill(t *testing.T, s Subject, n int) (ids []uint64) {
	t.Helper()
	for i := range n {
		id, err := s.Append(t.Context(), message(i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func wantIDs(t *testing.T, s Subject, after uint64, n int, want ...uint64) {
	t.Helper()
	got, err := s.Next(t.Context(), after, n)
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint64
	for _, m := range got {
		ids = append(ids, m.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("Next(after %d, %d) = ids %v, want %v", after, n, ids, want)
	}
}

func wantLen(t *testing.T, s Subject, want int) {
	t.Helper()
	if n, err := s.Len(t.Context()); err != nil || n != want {
		t.Errorf("Len = %d, %v; want %d", n, err, want)
	}
}

// Memory is an Outbox without storage. The zero value is empty and ready.
type Memory struct {
	mu   sync.Mutex
	last uint64
	msgs []mqtt.Message
}

var _ mqtt.Outbox = (*Memory)(nil)

// Append adds m under a new ID.
func (o *Memory) Append(_ context.Context, m mqtt.Message) (uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	m.ID = o.last
	o.msgs = append(o.msgs, m)
	return m.ID, m.Check()
}

// Next implements mqtt.Outbox.
func (o *Memory) Next(_ context.Context, after uint64, n int) ([]mqtt.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []mqtt.Message
	for _, m := range o.msgs {
		if m.ID > after && len(out) < n {
			out = append(out, m)
		}
	}
	return out, nil
}

// Done implements mqtt.Outbox.
func (o *Memory) Done(_ context.Context, ids ...uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.msgs = slices.DeleteFunc(o.msgs, func(m mqtt.Message) bool { return slices.Contains(ids, m.ID) })
	return nil
}

// Len implements mqtt.Outbox.
func (o *Memory) Len(context.Context) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.msgs), nil
}
