package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// statuses are the ones that an open workflow has by itself. Fault
// rectification is what control shows when no worker lives; a completed or
// deleted task has no open workflow.
func statuses() map[lifecycle.Status]func(*state) {
	inPhase := func(p lifecycle.Phase, m mode) func(*state) {
		return func(s *state) {
			if p == lifecycle.PhaseFull || p == lifecycle.PhaseIncremental || p == lifecycle.PhaseStop {
				copied(s)
			}
			s.Phase, s.Mode = p, m
			if p == lifecycle.PhaseFull {
				s.CopyDone, s.CopyEnd = false, nil
			}
			if p == lifecycle.PhaseStop {
				s.Stop = &stopState{From: lifecycle.PhaseIncremental}
			}
			checked(s)
		}
	}
	return map[lifecycle.Status]func(*state){
		lifecycle.Configuration: inPhase(lifecycle.PhaseConfiguration, running),
		lifecycle.WaitingForStart: func(s *state) {
			inPhase(lifecycle.PhaseConfiguration, running)(s)
			later := s.CreatedAt.Add(time.Hour)
			s.StartAt = &later
		},
		lifecycle.Starting:     inPhase(lifecycle.PhaseStart, running),
		lifecycle.StartFailed:  inPhase(lifecycle.PhaseStart, failed),
		lifecycle.FullStarted:  inPhase(lifecycle.PhaseFull, running),
		lifecycle.FullFailed:   inPhase(lifecycle.PhaseFull, failed),
		lifecycle.FullComplete: func(s *state) { copied(s); s.Phase = lifecycle.PhaseFull; checked(s) },
		lifecycle.IncreStarted: inPhase(lifecycle.PhaseIncremental, running),
		lifecycle.IncreFailed:  inPhase(lifecycle.PhaseIncremental, failed),
		lifecycle.Paused:       inPhase(lifecycle.PhaseIncremental, paused),
		lifecycle.Releasing:    inPhase(lifecycle.PhaseStop, running),
		lifecycle.ReleaseFailed: func(s *state) {
			inPhase(lifecycle.PhaseStop, failed)(s)
			s.LastError = &contract.ErrorInfo{Code: "SL-5002"}
		},
	}
}

// senders send each action's update; those of test and delete are workflows of their own.
func senders() map[lifecycle.Action]func(b *bench, then func(contract.CommandResult, error)) {
	soon := func(b *bench) *time.Time { at := b.Now().Add(2 * time.Hour); return &at }
	return map[lifecycle.Action]func(*bench, func(contract.CommandResult, error)){
		lifecycle.Edit: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateEdit, contract.EditRequest{Command: byAlice, Spec: spec()}, then)
		},
		lifecycle.Precheck: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, then)
		},
		lifecycle.Confirm: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, All: true, Note: "known"}, then)
		},
		lifecycle.Start: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateStart, contract.StartRequest{Command: byAlice}, then)
		},
		lifecycle.Reschedule: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateReschedule, contract.StartRequest{Command: byAlice, At: soon(b)}, then)
		},
		lifecycle.Pause: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdatePause, contract.PauseRequest{Command: byAlice}, then)
		},
		lifecycle.Resume: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, then)
		},
		lifecycle.Retry: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateRetry, contract.RetryRequest{Command: byAlice}, then)
		},
		lifecycle.RetryTable: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateRetry, contract.RetryRequest{Command: byAlice, Table: parkedTable.String()}, then)
		},
		lifecycle.RecopyTable: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateTables, contract.TablesRequest{Command: byAlice, Kind: contract.TablesRecopy, Tables: []table.Name{parkedTable}}, then)
		},
		lifecycle.DropTable: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateTables, contract.TablesRequest{Command: byAlice, Kind: contract.TablesDrop, Tables: []table.Name{parkedTable}}, then)
		},
		lifecycle.AddTables: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateTables, addition("crm", "people"), then)
		},
		lifecycle.SetCredentials: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: byAlice, Side: task.DestinationSide, Endpoint: spec().Destination}, then)
		},
		lifecycle.Limit: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateLimit, contract.LimitRequest{Command: byAlice, Limits: task.Limits{MBPerSecond: 1}}, then)
		},
		lifecycle.Compare: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateCompare, contract.CompareRequest{Command: byAlice, Type: contract.CompareRows}, then)
		},
		lifecycle.Stop: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateStop, contract.StopRequest{Command: byAlice, Incomplete: true}, then)
		},
		lifecycle.ForceStop: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, then)
		},
		lifecycle.Reset: func(b *bench, then func(contract.CommandResult, error)) {
			send(b, contract.UpdateReset, contract.ResetRequest{Command: byAlice}, then)
		},
	}
}

// TestMigration_EveryActionInEveryStatus tries each action in each status: the
// lifecycle table decides, and a refusal says what is allowed instead.
func TestMigration_EveryActionInEveryStatus(t *testing.T) {
	for status, prepare := range statuses() {
		for action, sendIt := range senders() {
			t.Run(string(status)+"/"+string(action), func(t *testing.T) {
				b := newBench(t)
				stub(b, contract.PlanCopy).After(time.Hour).Return(plan(), nil)
				stub(b, contract.ReadHead).After(time.Hour).Return(contract.HeadOut{Position: at(900)}, nil)
				b.usual()
				answered := false
				b.at(time.Second, func() {
					require.Equal(t, status, b.view().Status)
					sendIt(b, func(r contract.CommandResult, err error) {
						answered = true
						if !action.Allowed(status) {
							b.refused(fault.RefusedInState)(r, err)
							require.Equal(t, status, b.view().Status)
							return
						}
						require.NoError(t, err)
					})
				})
				b.at(5*time.Minute, func() {
					if b.view().Status != lifecycle.ReleaseDone {
						send(b, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true}, b.accepted("end of the test"))
					}
				})
				b.run(b.input(prepare, func(s *state) {
					if s.Plan != nil && slices.Contains(tableActions(), action) {
						parked(s)
					}
				}))
				b.ended()
				require.True(t, answered)
			})
		}
	}
}
