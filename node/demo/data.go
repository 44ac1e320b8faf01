package demo

import (
	"bytes"
	_ "embed" // for the files below
	"encoding/json"
	"io"

	"edgeward/node/client"
)

//go:embed data/er-attendances.parquet
var attendances []byte

//go:embed data/ATTRIBUTION.md
var attribution string

//go:embed data/digits/digits-cnn.onnx
var digitsModel []byte

//go:embed data/digits/digits-2.onnx
var digitsRetrained []byte

//go:embed data/digits/digits-bad.onnx
var digitsBad []byte

//go:embed data/weld/weld-cnn.onnx
var weldModel []byte

//go:embed data/digits/heldout.json
var digitsHeldOut []byte

// Names of everything the demonstration makes.
const (
	dataSet    = "er-attendances"
	attendance = "er-attendance"       // model and endpoint: attendances of both hospitals
	level      = "er-attendance-level" // the same, divided by the 28-day mean
	admissions = "er-admissions"       // admissions of the larger hospital
	digits     = "digits"              // pictures
)

// limits go into every model card.
var limits = []string{"Not a medical device.", "Shows a method on public aggregate data; no assessment of these hospitals.", "Not for staffing or care decisions.",
	"Forecasts demand, not free beds."}

// pictures are the held-out digits.
type pictures struct {
	Images [][]float64 `json:"images"` // 64 values of 0 to 16 each
	Labels []int       `json:"labels"`
}

func heldOut() (p pictures, err error) { return p, json.Unmarshal(digitsHeldOut, &p) }

func reader(b []byte) io.Reader { return bytes.NewReader(b) }

// request is the recipe each model of the demonstration asks for. Zero days of the smaller hospital are days without a
// report: they are declared missing, shown as such and never imputed.
func request(cause, facility, normalise string) client.RecipeRequest {
	r := client.RecipeRequest{Kind: "forecast", Time: "date", Target: "count", Frequency: "daily", Counts: true, Zeros: "missing", Normalise: normalise,
		Filters: map[string]string{"cause_id": cause}}
	if facility == "" {
		r.Group = "facility_code"
	} else {
		r.Filters["facility_code"] = facility
	}
	return r
}
