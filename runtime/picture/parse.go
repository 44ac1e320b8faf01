package picture

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"edgeward"
)

// MaxText bounds the text of a declaration.
const MaxText = 16 << 10

// MaxInputs bounds the inputs of a model that take pictures.
const MaxInputs = 8

// Parse reads declarations as JSON, one object or a list of them, or one in the short form:
//
//	short  = "default" | pair { "," pair }
//	pair   = "input=" name | "colour=" rgb | bgr | grey | "layout=" nchw | nhwc
//	       | "resize=" side | h "x" w | "letterbox" [ ":" h "x" w ] | "exact" [ ":" h "x" w ] | "none"
//	       | "filter=" filter | "pad=" 0…255 | "crop=" side | h "x" w
//	       | "scale=" number | "scale=" number "/" number | "mean=" number { ":" number } | "std=" number { ":" number }
//
// resize with one number makes the shorter side so long. What is left out Complete fills in; default leaves out everything.
func Parse(text string) ([]Preprocessing, error) {
	if len(text) > MaxText {
		return nil, wrong("it has %d bytes; at most %d", len(text), MaxText)
	}
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		p, err := parseShort(text)
		return []Preprocessing{p}, err
	}
	var all []Preprocessing
	var into any = &all
	if text[0] == '{' {
		all = make([]Preprocessing, 1)
		into = &all[0]
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return nil, wrong("it cannot be read: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, wrong("something follows it")
	}
	if len(all) == 0 || len(all) > MaxInputs {
		return nil, wrong("%d inputs; 1 to %d", len(all), MaxInputs)
	}
	return all, nil
}

var shortKeys = []string{"input", "colour", "layout", "resize", "filter", "pad", "crop", "scale", "mean", "std"}

func parseShort(text string) (p Preprocessing, err error) {
	if text == "default" {
		return p, nil
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, v, ok := strings.Cut(part, "=")
		if !ok || !slices.Contains(shortKeys, key) {
			return p, wrong("%.80q is no part of a declaration", part).WithHint("the nearest is %s=…; there are %s", edgeward.Nearest(key, shortKeys), strings.Join(shortKeys, ", "))
		}
		if seen[key] {
			return p, wrong("%s is there twice", key)
		}
		seen[key] = true
		switch key {
		case "input":
			p.Input = v
		case "colour":
			p.Colour = Colour(v)
		case "layout":
			p.Layout = Layout(v)
		case "resize":
			err = p.Resize.parse(v)
		case "filter":
			p.Resize.Filter = Filter(v)
		case "pad":
			p.Resize.Pad, err = whole(v)
		case "crop":
			p.Crop = &Size{}
			p.Crop.Height, p.Crop.Width, err = size(v)
		case "scale":
			p.Scale, err = ratio(v)
		case "mean":
			p.Mean, err = list(v)
		case "std":
			p.Std, err = list(v)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (r *Resize) parse(v string) (err error) {
	mode, of, has := strings.Cut(v, ":")
	switch m := Mode(mode); {
	case m == None && !has, (m == Letterbox || m == Exact) && !has:
		r.Mode = m
	case m == Letterbox || m == Exact:
		r.Mode = m
		r.Height, r.Width, err = size(of)
	case strings.Contains(v, "x"):
		r.Mode = Exact
		r.Height, r.Width, err = size(v)
	default:
		r.Mode = Shortest
		r.Side, err = whole(v)
	}
	return err
}

// size reads "224" or "480x640", height first.
func size(v string) (height, width int, err error) {
	h, w, two := strings.Cut(v, "x")
	if height, err = whole(h); err != nil || !two {
		return height, height, err
	}
	width, err = whole(w)
	return height, width, err
}

func whole(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1<<20 {
		return 0, wrong("%.40q is no whole number of pixels", v)
	}
	return n, nil
}

// ratio reads "0.5" or "1/255".
func ratio(v string) (float64, error) {
	over, under, has := strings.Cut(v, "/")
	a, err := number(over)
	if err != nil || !has {
		return a, err
	}
	b, err := number(under)
	if err == nil && b == 0 {
		err = wrong("%.40q divides by nothing", v)
	}
	return a / b, err
}

func number(v string) (float64, error) {
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return 0, wrong("%.40q is no number", v)
	}
	return x, nil
}

func list(v string) (out []float64, err error) {
	for s := range strings.SplitSeq(v, ":") {
		x, err := ratio(s)
		if err != nil {
			return nil, err
		}
		if out = append(out, x); len(out) > 4 {
			return nil, wrong("%.40q has more than four numbers", v)
		}
	}
	return out, nil
}
