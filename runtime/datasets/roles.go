package datasets

import (
	"slices"
	"strings"

	"edgeward/runtime/profile"
)

// maxKeyTrials bounds the calls of key in Guess.
const maxKeyTrials = 40

// targetNames are column names that say "this is what one would want to know", most telling first.
var targetNames = []string{"target", "label", "y", "class", "outcome", "count", "total", "demand", "value", "sales", "load"}

// Guess proposes roles from the types and the profile of a table. key says whether a combination of columns is different
// in every row; it is asked at most 40 times.
//
//   - Time is the date or timestamp without missing values that has the most different values.
//   - Groups are the fewest categorical columns that with Time make a key, earlier columns first; none if no three do.
//   - Target is a column with a telling name; else, beside a time, the first numeric column with more than 20 different
//     values; else the last column that is not free text.
func Guess(columns []Column, p *profile.Profile, key func(columns []string) (bool, error)) (Roles, error) {
	var r Roles
	var most int64
	for _, c := range columns {
		if pc := p.Column(c.Name); pc != nil && pc.Kind == profile.Time && pc.Counts.Missing == 0 && pc.Counts.Distinct > most {
			r.Time, most = c.Name, pc.Counts.Distinct
		}
	}
	if r.Time != "" {
		var err error
		if r.Groups, err = guessGroups(columns, p, r.Time, most, key); err != nil {
			return Roles{}, err
		}
		if len(r.Groups) == 0 {
			r.Groups = nil // one series
		}
	}
	r.Target = guessTarget(columns, p, r)
	return r, nil
}

func guessGroups(columns []Column, p *profile.Profile, time string, times int64, key func([]string) (bool, error)) ([]string, error) {
	type candidate struct {
		name string
		n    int64
	}
	var all []candidate
	for _, c := range columns {
		if pc := p.Column(c.Name); pc != nil && pc.Kind == profile.Categorical && pc.Counts.Distinct > 1 {
			all = append(all, candidate{c.Name, pc.Counts.Distinct})
		}
	}
	trials := 0
	// try asks for every choice of size more columns from all[from:], in order.
	var try func(chosen []string, combinations int64, from, size int) ([]string, error)
	try = func(chosen []string, combinations int64, from, size int) ([]string, error) {
		if size == 0 {
			if combinations < p.Rows || trials >= maxKeyTrials { // fewer combinations than rows are no key
				return nil, nil
			}
			trials++
			ok, err := key(append([]string{time}, chosen...))
			if err != nil || !ok {
				return nil, err
			}
			return append([]string{}, chosen...), nil
		}
		for i := from; i < len(all); i++ {
			got, err := try(append(chosen, all[i].name), min(combinations*all[i].n, 1<<40), i+1, size-1)
			if err != nil || got != nil {
				return got, err
			}
		}
		return nil, nil
	}
	for size := range 4 {
		if got, err := try(nil, times, 0, size); err != nil || got != nil {
			return got, err
		}
	}
	return nil, nil
}

func guessTarget(columns []Column, p *profile.Profile, r Roles) string {
	free := func(c Column) *profile.Column {
		pc := p.Column(c.Name)
		if pc == nil || pc.Kind == profile.Time || pc.Kind == profile.Text || slices.Contains(r.Groups, c.Name) || pc.Counts.Count == pc.Counts.Missing {
			return nil
		}
		return pc
	}
	for _, want := range targetNames {
		for _, c := range columns {
			if strings.ToLower(c.Name) == want && free(c) != nil {
				return c.Name
			}
		}
	}
	if r.Time != "" {
		for _, c := range columns {
			if pc := free(c); pc != nil && pc.Kind == profile.Numeric && pc.Counts.Distinct > 20 {
				return c.Name
			}
		}
	}
	for _, c := range slices.Backward(columns) {
		if free(c) != nil {
			return c.Name
		}
	}
	return ""
}
