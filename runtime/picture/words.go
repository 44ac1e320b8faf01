package picture

import (
	"fmt"
	"strconv"
	"strings"
)

// Words says what p does, for people.
func (p Preprocessing) Words() string {
	var b strings.Builder
	b.WriteString("upright by EXIF, " + string(p.Colour))
	switch r := p.Resize; r.Mode {
	case Exact:
		fmt.Fprintf(&b, ", resized to %d by %d (%s)", r.Height, r.Width, r.Filter)
	case Shortest:
		fmt.Fprintf(&b, ", shorter side resized to %d (%s)", r.Side, r.Filter)
	case Letterbox:
		fmt.Fprintf(&b, ", fitted into %d by %d (%s) on %d", r.Height, r.Width, r.Filter, r.Pad)
	}
	if c := p.Crop; c != nil {
		fmt.Fprintf(&b, ", the middle %d by %d", c.Height, c.Width)
	}
	if p.Scale != 1 {
		b.WriteString(", × " + short(p.Scale))
	}
	if len(p.Mean) > 0 {
		b.WriteString(", − " + shorts(p.Mean))
	}
	if len(p.Std) > 0 {
		b.WriteString(", ÷ " + shorts(p.Std))
	}
	return b.String() + ", " + strings.ToUpper(string(p.Layout))
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

func shorts(all []float64) string {
	out := make([]string, len(all))
	for i, x := range all {
		out[i] = short(x)
	}
	return strings.Join(out, " ")
}
