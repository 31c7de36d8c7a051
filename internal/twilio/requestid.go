package twilio

import "context"

type requestIDKey struct{}

// WithRequestID gives a context under which the Twilio-Request-Id of each answer is stored in id, so that after a write
// id is that of the write, for the audit. Calls made under one such context must not run at the same time.
func WithRequestID(ctx context.Context, id *string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// noteRequestID stores the id of an answer where [WithRequestID] of ctx asked for it; an empty one is the lack of an
// answer and is stored too.
func noteRequestID(ctx context.Context, id string) {
	if into, ok := ctx.Value(requestIDKey{}).(*string); ok {
		*into = id
	}
}
