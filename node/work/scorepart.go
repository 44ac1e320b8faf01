package work

import (
	"bufio"
	"encoding/json"
	"io"
	"os"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
	"edgeward/sync/disk"
)

// scorePlan is what a run settles when it begins, so that a crash changes none of it.
type scorePlan struct {
	DataSet string                   `json:"data_set,omitempty"`
	Version int                      `json:"version,omitempty"` // of the data set
	File    edgeward.Digest          `json:"file,omitempty"`    // of the data set: rows as normalised Parquet
	Upload  bool                     `json:"upload,omitempty"`  // rows are uploadFile in the run's folder
	Columns []string                 `json:"columns"`           // of the input, as they are written
	Outputs []string                 `json:"outputs"`           // of the endpoint
	Names   []string                 `json:"names"`             // of the columns that the run adds
	Fields  map[string]string        `json:"fields,omitempty"`  // field → column
	Types   map[string]datasets.Type `json:"types"`             // of columns of the result
	Series  bool                     `json:"series,omitempty"`  // rows are steps of series, made by the model's recipe
	Model   string                   `json:"model"`             // the version whose fields these are
}

// maxPlan bounds a plan, whose columns are at most as many as a data set has.
const maxPlan = 16 << 20

func readPlan(path string) (*scorePlan, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, edgeward.Wrap("work.readPlan", err)
	}
	var p scorePlan
	if len(b) > maxPlan || json.Unmarshal(b, &p) != nil {
		return nil, nil // settled anew
	}
	return &p, nil
}

func writePlan(path string, p scorePlan) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return disk.WriteFile(path, b, 0o600)
}

// part is what became of the rows of a chunk. Its file is this as one line of JSON, then the lines of the result.
type part struct {
	Rows     int64            `json:"rows"`
	Answered int64            `json:"answered"`
	Failed   int64            `json:"failed"`
	Versions map[int]int64    `json:"versions,omitempty"`
	Errors   []score.RowError `json:"errors,omitempty"`
	Digest   edgeward.Digest  `json:"digest"` // of the lines
	Size     int64            `json:"size"`
}

func (p *part) add(o part) {
	p.Rows, p.Answered, p.Failed = p.Rows+o.Rows, p.Answered+o.Answered, p.Failed+o.Failed
	if p.Versions == nil {
		p.Versions = map[int]int64{}
	}
	for v, n := range o.Versions {
		p.Versions[v] += n
	}
	p.Errors = append(p.Errors, o.Errors[:min(len(o.Errors), score.MaxErrors-len(p.Errors))]...)
}

func (p *part) fail(row int64, err error) {
	p.Failed++
	if len(p.Errors) < score.MaxErrors {
		f := jobs.FailureOf(err)
		if f.Code == "" {
			f.Code = f.Kind
		}
		p.Errors = append(p.Errors, score.RowError{Row: row, Code: f.Code, Message: clipped(f.Message), Hint: clipped(f.Hint)})
	}
}

func clipped(s string) string { return s[:min(len(s), 300)] }

func writePart(path string, p part, lines string) error {
	p.Digest, p.Size = edgeward.DigestOf([]byte(lines)), int64(len(lines))
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return disk.WriteFile(path, append(append(head, '\n'), lines...), 0o600)
}

// maxPart bounds a part: the head, and the lines of a chunk whose rows came as pages.
const maxPart = 256 << 20

// readPart reads a part and copies its lines to out; nil when it is not there. One that is not whole is Internal.
func readPart(path string, out io.Writer) (*part, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, edgeward.Wrap("work.readPart", err)
	}
	defer f.Close()
	r := bufio.NewReader(io.LimitReader(f, maxPart))
	head, err := r.ReadBytes('\n')
	var p part
	if err == nil {
		err = json.Unmarshal(head, &p)
	}
	var lines []byte
	if err == nil {
		lines, err = io.ReadAll(r)
	}
	if err != nil || int64(len(lines)) != p.Size || edgeward.DigestOf(lines) != p.Digest {
		return nil, edgeward.E("work.readPart", edgeward.Internal, "score.part", "a part of a run is damaged: %w", err)
	}
	if out != nil {
		if _, err := out.Write(lines); err != nil {
			return nil, disk.Err("work.readPart", err)
		}
	}
	return &p, nil
}
