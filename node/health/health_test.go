package health_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/node/health"
)

func TestABlipIsNotAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := health.New(time.Now, 10*time.Second)
		m.Phase(health.Ready)
		gone := edgeward.E("mqtt", edgeward.Unavailable, "mqtt.unreachable", "no broker").WithHint("start it")
		m.Report("mqtt", gone)
		time.Sleep(9 * time.Second)
		m.Report("mqtt", gone) // said again, it is still the same trouble
		if s := m.Status(); s.State != health.Ready {
			t.Fatalf("degraded after 9 s: %+v", s)
		}
		time.Sleep(time.Second)
		s := m.Status()
		if s.State != health.Degraded || len(s.Reasons) != 1 || s.Reasons[0].Code != "mqtt.unreachable" || s.Reasons[0].Hint != "start it" || !s.OK() {
			t.Fatalf("after 10 s: %+v", s)
		}
		m.Report("mqtt", nil)
		if s := m.Status(); s.State != health.Ready || len(s.Reasons) != 0 {
			t.Fatalf("gone, and still %+v", s)
		}
		m.Report("mqtt", gone)
		if s := m.Status(); s.State != health.Ready {
			t.Fatalf("new trouble counts from its own beginning: %+v", s)
		}
	})
}

func TestCertainTroubleCountsAtOnce(t *testing.T) {
	m := health.New(time.Now, time.Hour)
	m.Phase(health.Ready)
	m.ReportCertain("s3", errors.New("port 9000 is taken"))
	m.ReportCertain("grpc", errors.New("port 8001 is taken"))
	s := m.Status()
	if s.State != health.Degraded || len(s.Reasons) != 2 || s.Reasons[0].Part != "grpc" {
		t.Fatalf("%+v", s)
	}
}

func TestOnlyAReadyServerIsDegraded(t *testing.T) {
	m := health.New(time.Now, 0)
	m.ReportCertain("s3", errors.New("port taken"))
	for _, phase := range []health.State{health.Starting, health.Listening, health.Stopping} {
		m.Phase(phase)
		if s := m.Status(); s.State != phase || s.OK() || len(s.Reasons) != 1 {
			t.Errorf("%s: %+v", phase, s)
		}
	}
}

func ExampleMonitor() {
	m := health.New(time.Now, 0)
	m.Phase(health.Ready)
	fmt.Println(m.Status().State)
	m.Report("store", edgeward.E("store", edgeward.Exhausted, "store.full", "no room").WithHint("free space"))
	s := m.Status()
	fmt.Println(s.State, s.Reasons[0].Code, s.Reasons[0].Hint)
	// Output:
	// ready
	// degraded store.full free space
}
