package simfleet

import "time"

// clock is the bubble's.
func clock() time.Time { return time.Now() } // room:clock the simulation's

// since is how long ago t was.
func since(t time.Time) time.Duration { return clock().Sub(t) }
