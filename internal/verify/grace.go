package verify

import (
	"context"
	"time"
)

// grace is how long a write in flight may go on after Ctrl-C.
const grace = 10 * time.Second

// GraceContext gives a context that goes on for a while after ctx has ended, for a write that must not be torn.
func GraceContext(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}
