package train

import "time"

// Tasks.
const (
	Forecast   = "forecast"
	Regression = "regression"
	Binary     = "binary"
	Multiclass = "multiclass"
)

// Spec says what to fit. The zero values mean: portfolio of settings, seed 1, one thread, 80 % interval.
type Spec struct {
	Task    string  `json:"task"`
	Split   Split   `json:"split"`
	Params  Params  `json:"params,omitzero"` // zero: choose from the built-in portfolio on validation
	Seed    int     `json:"seed,omitempty"`
	Threads int     `json:"threads,omitempty"`
	Level   float64 `json:"level,omitempty"` // of the prediction interval; default 0.8
}

// Split says which rows train and which validate, by target day. All bounds are inclusive; zero bounds mean all.
type Split struct {
	From     time.Time `json:"from,omitzero"`      // first target of training
	To       time.Time `json:"to,omitzero"`        // last target that may be seen at all (training and validation)
	Validate int       `json:"validate,omitempty"` // last steps (calendar days of the target) held out; default a fifth
	// HoldOut is for plain tables: the share of rows held out, chosen by a seeded shuffle; default 0.2.
	HoldOut float64 `json:"hold_out,omitempty"`
	// Refit trains the final model on all rows up to To with the iterations that validation chose; residuals,
	// metrics and offsets stay those of the model that had not seen validation.
	Refit bool `json:"refit,omitempty"`
}

// Params are the LightGBM settings that matter here; everything else is fixed by the package.
type Params struct {
	Objective    string  `json:"objective,omitempty"` // regression, regression_l1, poisson, huber, …; "" by task
	Rounds       int     `json:"rounds,omitempty"`
	Patience     int     `json:"patience,omitempty"` // early stopping on validation; 0 means none
	LearningRate float64 `json:"learning_rate,omitempty"`
	Leaves       int     `json:"leaves,omitempty"`
	MinLeaf      int     `json:"min_leaf,omitempty"`
	FeatureShare float64 `json:"feature_share,omitempty"`
	RowShare     float64 `json:"row_share,omitempty"`
	L2           float64 `json:"l2,omitempty"`
}

// Metrics of one set of rows. Fields that do not belong to the task are zero.
type Metrics struct {
	Rows     int     `json:"rows"`
	MAE      float64 `json:"mae,omitempty"`
	RMSE     float64 `json:"rmse,omitempty"`
	Bias     float64 `json:"bias,omitempty"` // mean of truth minus forecast
	AUC      float64 `json:"auc,omitempty"`
	LogLoss  float64 `json:"log_loss,omitempty"`
	Accuracy float64 `json:"accuracy,omitempty"`
	Coverage float64 `json:"coverage,omitempty"` // share of truths inside the interval
}

// Halves of the validation residuals.
const (
	Calibration = "calibration" // conformal offsets come from these
	Control     = "control"     // used for nothing: an honest quiet period
)

// Residual is one validation row: the drift reference.
type Residual struct {
	Target   time.Time `json:"target,omitzero"`
	Group    string    `json:"group,omitempty"`
	Truth    float64   `json:"truth"`
	Forecast float64   `json:"forecast"`
	Low      float64   `json:"low"`
	High     float64   `json:"high"`
	Level    float64   `json:"level"` // 28-step mean at the origin; 0 if unknown
	Half     string    `json:"half"`  // Calibration or Control
}

// Signed returns truth minus forecast.
func (r Residual) Signed() float64 { return r.Truth - r.Forecast }

// Offset widens a forecast into its interval: low = forecast+Low, high = forecast+High (times the level where the
// recipe normalises).
type Offset struct {
	Group string  `json:"group,omitempty"` // "" is the pooled offset, used for unknown groups
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Rows  int     `json:"rows"`
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

// Result is a fitted model and everything that is honestly known about it.
type Result struct {
	Task          string                        `json:"task"`
	Recipe        string                        `json:"recipe"`
	Params        Params                        `json:"params"` // the settings that won
	Tried         []Trial                       `json:"tried,omitempty"`
	Model         []byte                        `json:"-"` // LightGBM text
	ONNX          []byte                        `json:"-"`
	Train         Range                         `json:"train"`
	Validation    Range                         `json:"validation"`
	Metrics       Metrics                       `json:"metrics"` // on validation
	ByGroup       map[string]Metrics            `json:"by_group,omitempty"`
	Baselines     map[string]Metrics            `json:"baselines,omitempty"`
	BaselineGroup map[string]map[string]Metrics `json:"baselines_by_group,omitempty"` // baseline, group
	Residuals     []Residual                    `json:"residuals,omitempty"`
	Offsets       []Offset                      `json:"offsets,omitempty"`
	Level         float64                       `json:"level,omitempty"`
	Importances   []Importance                  `json:"importances,omitempty"`
	BestIteration int                           `json:"best_iteration"`
	Seconds       float64                       `json:"seconds"`
	Engines       map[string]string             `json:"engines"` // "lightgbm": "4.7.0", …
}

// Trial is one setting of the portfolio and its validation score (MAE or log loss; smaller is better).
type Trial struct {
	Params    Params  `json:"params"`
	Score     float64 `json:"score"`
	Iteration int     `json:"iteration"`
}
