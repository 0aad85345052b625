package throttle

import (
	"fmt"
	"time"
)

// pace slows writers down while the destination answers slowly: after each
// transaction comes a rest of factor-1 times what it took. The factor grows
// while transactions take longer than their limit and shrinks when they do not.
type pace struct {
	factor float64 // 0 stands for 1, full speed
	mean   float64 // moving mean, in seconds
	limit  time.Duration
}

const (
	slower      = 1.25
	faster      = 1.1
	slowest     = 16
	longestRest = 5 * time.Second
	weight      = 0.2 // of the newest transaction in the mean
)

func (p *pace) took(d, limit time.Duration) (rest time.Duration) {
	p.limit = limit
	if limit <= 0 {
		p.factor, p.mean = 0, 0
		return 0
	}
	if p.mean == 0 {
		p.mean = d.Seconds()
	}
	p.mean += weight * (d.Seconds() - p.mean)
	if p.mean > limit.Seconds() {
		p.factor = min(max(p.factor, 1)*slower, slowest)
	} else {
		p.factor = max(p.factor/faster, 1)
	}
	return min(time.Duration((p.factor-1)*float64(d)), longestRest)
}

func (p *pace) reason() string {
	if p.factor <= 1 {
		return ""
	}
	return fmt.Sprintf("the destination takes %d ms for a transaction, limit %d ms: at 1/%.1f of the speed",
		int(p.mean*1000), p.limit.Milliseconds(), p.factor)
}
