package control

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// Check is one part of the installation.
type Check struct {
	Name   string
	OK     bool
	Detail string
	Remedy string
}

// Doctor says what of the installation works, for a worker group.
func (s *Service) Doctor(ctx context.Context, group string) []Check {
	ctx, cancel := context.WithTimeout(ctx, s.temporalTime())
	defer cancel()
	checks := []Check{{Name: "web", OK: true, Detail: "answers"}}
	add := func(name, detail, remedy string, err error) {
		c := Check{Name: name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail, c.Remedy = err.Error(), remedy
		}
		checks = append(checks, c)
	}
	_, err := s.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
	add("Temporal", "healthy, namespace "+s.Namespace, fault.TemporalUnavailable.Remedy, err)
	key, keyErr := s.Workers()
	add("keys", "workers' public key "+key.ID, fault.KeysMissing.Remedy, keyErr)
	if err != nil {
		return checks
	}
	for _, q := range []struct {
		name string
		kind enumspb.TaskQueueType
	}{
		{contract.QueueControl, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{contract.QueueShort(group), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.QueueCopy(group), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.QueueApply(group), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	} {
		n, err := s.Pollers(ctx, q.name, q.kind)
		if err == nil && n == 0 {
			err = fault.NoWorker.New("queue "+q.name, "0 pollers")
		}
		add("queue "+q.name, fmt.Sprintf("%d pollers", n), fault.NoWorker.Remedy, err)
	}
	return checks
}
