package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/position"
)

// CopyInput starts the copy of a task. Done, Rows and Bytes are filled at
// continue-as-new.
type CopyInput struct {
	contract.TaskRef
	Epoch int64 `json:"epoch"`
	// Box is the number before the first box of this copy; a later copy of the task starts beyond every one of it.
	Box              int64         `json:"box"`
	FenceConfirmed   bool          `json:"fence_confirmed,omitempty"`
	WorkerGroup      string        `json:"worker_group"`
	HeartbeatTimeout time.Duration `json:"heartbeat_timeout"`
	Lanes            int           `json:"lanes"`
	// Connections is each lane's share of the source's connections.
	Connections int               `json:"connections"`
	DeleteFirst bool              `json:"delete_first,omitempty"`
	Start       position.Position `json:"start"`
	ApplyBeside bool              `json:"apply_beside,omitempty"`
	Group       int               `json:"group,omitempty"`
	Rows        int64             `json:"rows,omitempty"`
	Bytes       int64             `json:"bytes,omitempty"`
}

// CopyResult sums the boxes.
type CopyResult struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// CopyWorkflow runs the lanes of a task's full copy, box after box, until no
// chunk is left. It is cancelled for a pause and started again for a resume; the
// chunk plan on the destination knows what is left.
func CopyWorkflow(ctx workflow.Context, in CopyInput) (CopyResult, error) {
	_ = workflow.GetVersion(ctx, changeRelease, workflow.DefaultVersion, release)
	place := newPlace(in.TaskID, in.WorkerGroup, in.HeartbeatTimeout)
	lanesCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()

	lanes := max(in.Lanes, 1)
	errs := make([]error, lanes)
	left, done := lanes, 0
	for lane := range lanes {
		workflow.GoNamed(lanesCtx, fmt.Sprintf("lane %d", lane), func(ctx workflow.Context) {
			defer func() { left-- }()
			finished, err := runLane(ctx, place, &in, lane)
			if finished {
				done++
			}
			if err != nil {
				errs[lane] = err
				cancel()
			}
		})
	}
	free, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.Await(free, func() bool { return left == 0 }); err != nil {
		return CopyResult{}, err
	}
	if err := firstError(errs); err != nil {
		return CopyResult{}, err
	}
	if done < lanes {
		return CopyResult{}, workflow.NewContinueAsNewError(ctx, contract.CopyWorkflow, in)
	}
	return CopyResult{Rows: in.Rows, Bytes: in.Bytes}, nil
}

// runLane runs boxes of one lane. finished is false when it ended for
// continue-as-new.
func runLane(ctx workflow.Context, p place, in *CopyInput, lane int) (finished bool, err error) {
	confirmed := in.FenceConfirmed
	for !suggested(ctx) {
		in.Box++
		out, err := call(ctx, p, contract.CopyLane, fmt.Sprintf("copy, lane %d of %d", lane+1, in.Lanes), contract.CopyLaneIn{
			TaskRef: in.TaskRef, Owner: contract.Owner{Epoch: in.Epoch, Box: in.Box, FenceConfirmed: confirmed},
			Lane: lane, Lanes: in.Lanes, Box: copyBox, Connections: in.Connections,
			DeleteFirst: in.DeleteFirst, Start: in.Start, ApplyBeside: in.ApplyBeside, Group: in.Group,
		})
		if err != nil {
			return false, err
		}
		confirmed, in.FenceConfirmed = false, false
		in.Rows += out.Rows
		in.Bytes += out.Bytes
		if out.Done {
			return true, nil
		}
	}
	return false, nil
}

// firstError prefers what went wrong to the cancellations that followed it.
func firstError(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !temporal.IsCanceledError(err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}
