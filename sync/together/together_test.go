package together_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/sync/together"
)

// TestWhoComesMeanwhileGoesTogether lets 100 calls come while the first is under way.
func TestWhoComesMeanwhileGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var goes [][]int
		odd := errors.New("odd")
		g := together.New(64, func(list []int) []error {
			time.Sleep(time.Second)
			goes = append(goes, list) // one at a time: the race detector would tell
			errs := make([]error, len(list))
			for i, n := range list {
				if n%2 == 1 {
					errs[i] = odd
				}
			}
			return errs
		})
		var wg sync.WaitGroup
		for n := range 101 {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				if err := g.Do(n); (err == odd) != (n%2 == 1) {
					t.Errorf("%d: %v", n, err)
				}
			})
		}
		wg.Wait()
		if len(goes) != 3 || len(goes[0]) != 1 || len(goes[1]) != 64 || len(goes[2]) != 36 {
			t.Errorf("%d goes: %v", len(goes), goes)
		}
		if all := slices.Concat(goes...); !slices.IsSorted(all) || len(all) != 101 {
			t.Errorf("not in the order of coming: %v", all)
		}
	})
}

func TestACallAloneWaitsForNobody(t *testing.T) {
	g := together.New(10, func(list []string) []error { return make([]error, len(list)) })
	for i := range 3 {
		if err := g.Do(fmt.Sprint(i)); err != nil {
			t.Error(err)
		}
	}
}

// TestAPanicReachesWhoLedAndHoldsUpNobody is of a go whose function panics.
func TestAPanicReachesWhoLedAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		g := together.New(10, func(list []int) []error {
			time.Sleep(time.Second)
			if broken {
				panic("broken")
			}
			return make([]error, len(list))
		})
		var wg sync.WaitGroup
		var mu sync.Mutex
		panics, errs := 0, 0
		for range 3 {
			wg.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					if recover() != nil {
						panics++
					}
				}()
				if err := g.Do(1); err != nil {
					mu.Lock()
					errs++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if panics != 2 || errs != 1 { // the first alone; the others together, one of them leading
			t.Errorf("%d panics, %d errors", panics, errs)
		}
		broken = false
		if err := g.Do(1); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}
