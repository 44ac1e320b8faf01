package agent

// WantsBinary is wantsBinary.
var WantsBinary = wantsBinary
