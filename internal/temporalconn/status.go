package temporalconn

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// isUnauthenticated recognises a refused API key or certificate; the SDK has no
// type of its own for it.
func isUnauthenticated(err error) bool {
	return status.Code(unwrapAll(err)) == codes.Unauthenticated
}

// unwrapAll returns the innermost error that carries a gRPC status, else err.
func unwrapAll(err error) error {
	for e := err; e != nil; {
		if s, ok := e.(interface{ GRPCStatus() *status.Status }); ok && s.GRPCStatus() != nil {
			return s.GRPCStatus().Err()
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	return err
}
