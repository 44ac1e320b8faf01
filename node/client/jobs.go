package client

import (
	"context"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
)

// Line is one line of a job's log.
type Line = jobs.Line

// Jobs returns one page of jobs, newest first.
func (c *Client) Jobs(ctx context.Context, cursor string) (wire.List[Job], error) {
	return get[wire.List[Job]](ctx, c, "/api/v1/jobs", "cursor", cursor)
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	return get[Job](ctx, c, "/api/v1/jobs/"+segment(id))
}

// JobLog returns the lines after line number after.
func (c *Client) JobLog(ctx context.Context, id string, after int) ([]Line, error) {
	l, err := get[wire.List[Line]](ctx, c, "/api/v1/jobs/"+segment(id)+"/log", "after", itoa(after))
	return l.Items, err
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, id string) (Job, error) {
	return post[Job](ctx, c, "/api/v1/jobs/"+segment(id)+"/cancel", nil)
}

// Wait returns when the job has ended, telling progress (nil: nothing) of each new state or stage. A job that did not
// succeed is an error of its failure's kind.
func (c *Client) Wait(ctx context.Context, id string, progress func(Job)) (Job, error) {
	for {
		wait := "2"
		if progress == nil {
			wait = "30"
		}
		j, err := get[Job](ctx, c, "/api/v1/jobs/"+segment(id), "wait", wait)
		if err != nil {
			return j, err
		}
		if progress != nil {
			progress(j)
		}
		switch j.State {
		case jobs.Succeeded:
			return j, nil
		case jobs.Cancelled, jobs.Lost, jobs.Failed:
			return j, jobError(j)
		}
	}
}

func jobError(j Job) error {
	if j.Error == nil {
		return edgeward.E("job "+j.ID, edgeward.Conflict, "job."+string(j.State), "job %q was %s", j.Title, j.State)
	}
	e := edgeward.E("job "+j.ID, edgeward.KindFromString(j.Error.Kind), j.Error.Code, "%s", j.Error.Message)
	e.Hint = j.Error.Hint
	return e
}
