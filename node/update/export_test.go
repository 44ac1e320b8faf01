package update

// Libc and Newest are libc and newest.
var (
	Libc   = libc
	Newest = newest
)
