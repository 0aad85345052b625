package activities

import (
	"testing"

	"go.uber.org/goleak"
)

// Every goroutine of a step ends with it; the Temporal server of the tests and
// glog, which a library brings, stay.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("shardlift/internal/testtemporal.(*Server).run.func1"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"),
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
	)
}
