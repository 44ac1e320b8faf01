package train

import (
	"time"

	"edgeward/runtime/recipe"
)

// Halves of the validation rows.
const (
	Calibration = "calibration" // chose setting and rounds; conformal offsets come from these
	Control     = "control"     // used for nothing: an honest quiet period
)

// Metrics of one set of rows. Fields that do not belong to the task are zero.
type Metrics struct {
	Rows     int     `json:"rows"`
	MAE      float64 `json:"mae,omitempty"`
	RMSE     float64 `json:"rmse,omitempty"`
	Bias     float64 `json:"bias,omitempty"` // mean of truth minus forecast
	AUC      float64 `json:"auc,omitempty"`  // binary
	LogLoss  float64 `json:"log_loss,omitempty"`
	Accuracy float64 `json:"accuracy,omitempty"`
	Coverage float64 `json:"coverage,omitempty"` // share of truths inside the interval; honest on the Control half only
}

// Residual is one validation row. All of them in order of target and group are the drift reference.
type Residual struct {
	Target   time.Time `json:"target,omitzero"`
	Group    string    `json:"group,omitempty"`
	Truth    float64   `json:"truth"`
	Forecast float64   `json:"forecast"` // of a binary classifier the probability of class 1
	Low      float64   `json:"low"`
	High     float64   `json:"high"`
	Level    float64   `json:"level"` // 28-step mean at the origin; 0 in a plain table
	Half     string    `json:"half"`  // Calibration or Control
}

// Signed returns truth minus forecast.
func (r Residual) Signed() float64 { return r.Truth - r.Forecast }

// Offset widens a forecast into its interval: low = forecast+Low, high = forecast+High, both times the level where the
// recipe normalises.
type Offset struct {
	Group string  `json:"group,omitempty"` // "" is the pooled offset, for unknown groups and those with few rows
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Rows  int     `json:"rows"` // residuals behind it
}

// Importance is how much of the model's gain one feature carries.
type Importance struct {
	Feature string  `json:"feature"`
	Gain    float64 `json:"gain"` // share of the total, 0 to 1
	Splits  int     `json:"splits"`
}

// Range is the first and last target of a set of rows.
type Range struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	Rows int       `json:"rows"`
}

// Fold is one part of the backtest: rows From to To were forecast by models fitted to targets up to FitTo.
type Fold struct {
	FitTo   time.Time `json:"fit_to,omitzero"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	FitRows int       `json:"fit_rows"`
	Rows    int       `json:"rows"`
	Half    string    `json:"half"`
}

// Trial is one setting of the portfolio and its score on the Calibration half: mean absolute error or log loss.
type Trial struct {
	Params    Params  `json:"params"`
	Score     float64 `json:"score"`
	Iteration int     `json:"iteration"`
}

// Result is a fitted model and everything that is honestly known about it.
type Result struct {
	Task       string          `json:"task"`
	Recipe     string          `json:"recipe"`   // digest
	Encoding   recipe.Encoding `json:"encoding"` // serving builds its rows with it
	Params     Params          `json:"params"`   // the setting that won
	Tried      []Trial         `json:"tried"`
	Iterations int             `json:"iterations"` // boosting rounds in the model
	Seed       int             `json:"seed"`

	Train      Range  `json:"train"`      // rows the model was fitted to
	Validation Range  `json:"validation"` // rows of the backtest, forecast by models that had not seen them
	Folds      []Fold `json:"folds"`

	Metrics        Metrics                       `json:"metrics"` // on Validation; Coverage on the Control half
	ByHalf         map[string]Metrics            `json:"by_half"`
	ByGroup        map[string]Metrics            `json:"by_group,omitempty"`
	Baselines      map[string]Metrics            `json:"baselines"`                    // same rows: seasonal_naive, four_week_mean; mean or majority
	BaselinesGroup map[string]map[string]Metrics `json:"baselines_by_group,omitempty"` // by baseline, then group

	Residuals   []Residual        `json:"residuals,omitempty"` // none for multiclass
	Offsets     []Offset          `json:"offsets,omitempty"`   // the pooled one last
	Level       float64           `json:"level"`               // wanted coverage of the interval
	Importances []Importance      `json:"importances"`
	Engines     map[string]string `json:"engines"` // "lightgbm": "4.7.0"
	Seconds     float64           `json:"seconds"`

	Model []byte `json:"-"` // LightGBM text
	ONNX  []byte `json:"-"` // one graph: see runtime/onnxgraph for its names
}
