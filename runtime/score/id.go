package score

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"
)

// PredictionID is the id of what one row of a run, or one message of a topic, is answered with. It is a ULID of at, which
// must be the same each time, such as when the run was asked for.
func PredictionID(scoring, run string, row int64, at time.Time) string {
	sum := sha256.Sum256([]byte(scoring + "\x00" + run + "\x00" + strconv.FormatInt(row, 10)))
	var id ulid.ULID
	copy(id[6:], sum[:10])
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		_ = id.SetTime(0) // a time out of the range of a ULID
	}
	return id.String()
}
