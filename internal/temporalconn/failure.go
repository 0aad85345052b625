package temporalconn

import (
	"errors"
	"strings"
	"unicode/utf8"

	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// Sizes in bytes. While an activity is retried the server keeps a failure of at
// most 4 KB, with its details as JSON, and shows only "Failure exceeds size
// limit." of a larger one.
const (
	maxFailure = 3900
	maxText    = 2000
	maxMessage = 500
	maxRemedy  = 700
	maxObject  = 200
)

// positioned is an error that knows where the source's history holds its
// reason, such as a DDL statement.
type positioned interface{ SourcePosition() position.Position }

// failure is an error on its way into Temporal.
type failure struct {
	text      string
	retryable bool
	info      contract.ErrorInfo
}

// newFailure reads code, class, object and remedy of the outermost fault; an
// error without one is fault.StepFailed, retried.
func newFailure(err error, redact func(string) string) failure {
	f, known := fault.As(err)
	if !known {
		f = &fault.Error{
			Code: fault.StepFailed.Code, Class: fault.Retry, Message: err.Error(),
			Remedy: "nothing: the step is repeated; if it goes on, see the workers' logs",
		}
	}
	message := f.Message
	if f.Err != nil {
		message += ": " + f.Err.Error()
	}
	out := failure{
		text:      clip(redact(err.Error()), maxText),
		retryable: f.Class == fault.Retry,
		info: contract.ErrorInfo{
			Code:    f.Code,
			Class:   string(f.Class),
			Object:  clip(redact(f.Object), maxObject),
			Table:   clip(redact(f.Table), maxObject),
			Message: clip(redact(message), maxMessage),
			Remedy:  clip(redact(f.Remedy), maxRemedy),
		},
	}
	var at positioned
	if errors.As(err, &at) {
		p := at.SourcePosition()
		out.info.Position = &p
	}
	return out
}

// applicationError returns the failure as the SDK sends it. One that is retried
// is cut to a size that the server keeps: JSON may need six bytes for one, so it
// is measured. One that ends the activity goes into the history as it is.
func (f failure) applicationError() error {
	if !f.retryable {
		return f.build()
	}
	f.info.Position = nil // a GTID set may be large
	for {
		err := f.build()
		if proto.Size(temporal.GetDefaultFailureConverter().ErrorToFailure(err)) <= maxFailure {
			return err
		}
		longest := &f.text
		for _, part := range []*string{&f.info.Message, &f.info.Remedy, &f.info.Object} {
			if len(*part) > len(*longest) {
				longest = part
			}
		}
		*longest = clip(*longest, len(*longest)*3/4)
	}
}

// build gives no cause: the text holds it, and a chain would bring back what was
// redacted and clipped.
func (f failure) build() error {
	return temporal.NewApplicationErrorWithOptions(f.text, f.info.Code, temporal.ApplicationErrorOptions{
		NonRetryable: !f.retryable,
		Details:      []any{f.info},
	})
}

// clip cuts text to at most n bytes, at a rune, and marks the cut.
func clip(text string, n int) string {
	const mark = " …"
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= n {
		return text
	}
	cut := max(0, n-len(mark))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
