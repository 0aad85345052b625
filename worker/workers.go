package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"shardlift/activities"
	"shardlift/internal/config"
	"shardlift/internal/contract"
	"shardlift/workflows"
)

// Memory that one activity of a kind may use, in MiB. A copy lane holds a chunk
// of 16 MiB with its statements; a task in its incremental phase has two slots of
// the apply, one for two windows of 8 MiB with their statements, one for the
// watch, which needs next to nothing. So the default serves 16 such tasks.
const (
	copyMiB  = 64
	applyMiB = 32
)

const (
	// shortSlots and controlSlots bound steps whose memory does not count.
	shortSlots   = 32
	controlSlots = 16
	// fewest is the least number of slots: a task needs two on the apply queue.
	fewest = 4
)

// stopTime is how long the steps may take to reach the end of their chunk or
// window when the process is told to stop.
const stopTime = 25 * time.Second

// heartbeatEvery caps the pause between heartbeats that reach the server: it
// bounds how late a cancellation is heard, and how short an outage of Temporal
// ends a step (temporal.md 0.3).
const heartbeatEvery = 10 * time.Second

// slots says how many activities each role runs at once: copy and apply share
// the memory that the process has.
func slots(s config.Worker) map[string]int {
	out := map[string]int{config.RoleControl: controlSlots, config.RoleShort: shortSlots}
	shared := map[string]int{config.RoleCopy: copyMiB, config.RoleApply: applyMiB}
	sharing := 0
	for _, role := range s.Roles {
		if shared[role] > 0 {
			sharing++
		}
	}
	for role, each := range shared {
		if sharing > 0 {
			out[role] = max(s.MemoryMiB/sharing/each, fewest)
		}
	}
	return out
}

// workerSet is the workers of a process, one for each queue.
type workerSet struct {
	workers []worker.Worker
	failed  chan error
}

// startWorkers starts a worker for each role; on an error none is left.
func startWorkers(c client.Client, s config.Worker, steps *activities.Activities, i interceptor.WorkerInterceptor) (*workerSet, error) {
	set := &workerSet{failed: make(chan error, 1)}
	atOnce := slots(s)
	for _, role := range s.Roles {
		w := worker.New(c, queue(role, s.Group), set.options(atOnce[role], role == config.RoleControl, i))
		register(w, role, steps)
		if err := w.Start(); err != nil {
			set.stop()
			return nil, fmt.Errorf("start worker of role %s: %w", role, err)
		}
		set.workers = append(set.workers, w)
	}
	return set, nil
}

func queue(role, group string) string {
	switch role {
	case config.RoleShort:
		return contract.QueueShort(group)
	case config.RoleCopy:
		return contract.QueueCopy(group)
	case config.RoleApply:
		return contract.QueueApply(group)
	default:
		return contract.QueueControl
	}
}

func register(w worker.Worker, role string, steps *activities.Activities) {
	switch role {
	case config.RoleControl:
		workflows.Register(w)
		steps.RegisterControl(w)
	case config.RoleShort:
		steps.RegisterShort(w)
	case config.RoleCopy:
		steps.RegisterCopy(w)
	case config.RoleApply:
		steps.RegisterApply(w)
	}
}

func (s *workerSet) options(atOnce int, runsWorkflows bool, i interceptor.WorkerInterceptor) worker.Options {
	return worker.Options{
		MaxConcurrentActivityExecutionSize: atOnce,
		MaxHeartbeatThrottleInterval:       heartbeatEvery,
		WorkerStopTimeout:                  stopTime,
		DisableRegistrationAliasing:        true,
		DisableWorkflowWorker:              !runsWorkflows,
		Interceptors:                       []interceptor.WorkerInterceptor{i},
		OnFatalError: func(err error) {
			select {
			case s.failed <- err:
			default: // the first one ends the process already
			}
		},
	}
}

// wait returns when ctx ends or a worker cannot go on.
func (s *workerSet) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return fmt.Errorf("worker: %w", err)
	}
}

// stop stops all workers at the same time: one after the other would take
// stopTime for each.
func (s *workerSet) stop() {
	var wg sync.WaitGroup
	for _, w := range s.workers {
		wg.Go(w.Stop)
	}
	wg.Wait()
}
