package precheck

import (
	"context"
	"errors"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

func connectionItems() []item {
	return []item{
		{code: codeSource, group: groupNetwork, title: "Source can be connected", run: sourceConnection},
		{code: codeDestination, group: groupNetwork, title: "Destination can be connected", run: destinationConnection},
		{code: "isUserRequireSslLink", group: groupNetwork, title: "Connection to the source is encrypted", needs: onSource, run: sourceEncryption},
		{code: "dstSslConnection", group: groupNetwork, title: "Connection to the destination is encrypted", needs: onDestination, run: destinationEncryption},
	}
}

func sourceConnection(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return unconnected(err)
	}
	f := pass("connected to %s %s", s.capabilities.Flavor, s.capabilities.Version)
	f.facts = &contract.ServerFacts{Kind: string(s.capabilities.Flavor), Version: s.capabilities.Version, Side: string(task.SourceSide)}
	return f, nil
}

func destinationConnection(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return unconnected(err)
	}
	info := d.Info()
	f := pass("connected to %s %s", info.Kind, info.Version)
	f.facts = &contract.ServerFacts{Kind: string(info.Kind), Version: info.Version, Side: string(task.DestinationSide)}
	return f, nil
}

// unconnected is a result also for what may pass by itself: the user waits for it.
func unconnected(err error) (finding, error) {
	e, ok := fault.As(err)
	if !ok || errors.Is(err, context.Canceled) {
		return finding{}, err
	}
	return fail(e.Message, e.Remedy, e.Error()), nil
}
