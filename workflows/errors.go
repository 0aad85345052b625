package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// errorInfo reads what an activity's or a child's error says for people. The
// interceptor has put it into the application error's details; what came
// without (a timeout, a panic) gets a code of its own.
func errorInfo(ctx workflow.Context, err error) contract.ErrorInfo {
	info := contract.ErrorInfo{}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if !app.HasDetails() || app.Details(&info) != nil || info.Code == "" {
			info = infoOf(fault.StepFailed.New("", "%s", app.Message()))
		}
	} else if f, ok := fault.As(err); ok {
		info = infoOf(f)
	} else if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		info = infoOf(fault.StepTimedOut.New("", "%s", timeout.TimeoutType()))
	} else {
		info = infoOf(fault.StepFailed.New("", "%s", err.Error()))
	}
	info.At = workflow.Now(ctx)
	return info
}

func infoOf(f *fault.Error) contract.ErrorInfo {
	return contract.ErrorInfo{Code: f.Code, Class: string(f.Class), Object: f.Object, Table: f.Table, Message: f.Message, Remedy: f.Remedy}
}

// errorOf turns an activity's error back into a fault, for the answer of a command.
func errorOf(ctx workflow.Context, err error) error {
	if _, ok := fault.As(err); ok {
		return err
	}
	info := errorInfo(ctx, err)
	return &fault.Error{Code: info.Code, Class: fault.Class(info.Class), Object: info.Object, Table: info.Table, Message: info.Message, Remedy: info.Remedy}
}
