package activities

import (
	"context"

	"shardlift/internal/alarm"
	"shardlift/internal/contract"
)

// Tell makes alarms go to a sender; without one they are seen on the task's page
// and in its history only. Call it before the activities are registered.
func (a *Activities) Tell(s *alarm.Sender) { a.alarms = s }

// Notify tells people of an alarm. A repeated attempt may tell them again.
func (a *Activities) Notify(ctx context.Context, in contract.NotifyIn) (contract.Nothing, error) {
	if !a.alarms.Configured() {
		return contract.Nothing{}, nil
	}
	return contract.Nothing{}, a.alarms.Send(ctx, alarm.Alarm{
		TaskID: in.TaskID, Name: in.Name, Kind: in.Kind, Active: in.Active, Status: string(in.Status),
		Code: in.Code, Text: in.Text, Remedy: in.Remedy, At: in.At,
	})
}
