package supervise

import (
	"net"
	"os"
	"strconv"
	"time"
)

// notifier speaks to systemd (sd_notify); one without an address is silent.
type notifier struct {
	address string
	every   time.Duration // WATCHDOG is wanted so often; 0: not
}

// newNotifier reads what systemd left. It stays in the environment for a supervisor that takes this one's place; the server does not get it (environment).
func newNotifier() notifier {
	n := notifier{address: os.Getenv("NOTIFY_SOCKET")}
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
			n.every = time.Duration(us) * time.Microsecond / 3
		}
	}
	return n
}

func (n notifier) say(text string) {
	if n.address == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(text))
}
