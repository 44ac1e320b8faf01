package agent

import "time"

// WantsBinary is wantsBinary.
var WantsBinary = wantsBinary

// Hurry gives up an answer that is not complete after d.
func (w *Wire) Hurry(d time.Duration) { w.slow = d }
