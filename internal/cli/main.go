package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Main runs verifyctl with this process's arguments and streams and gives its exit status.
func Main(build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	go explainWait(ctx, stop, ended)
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away must not end a batch half way: the write's error does
	return run(ctx, &shell{terminal: systemTerminal(), build: build}, os.Args[1:])
}

// explainWait lets a second Ctrl-C end the process at once, and says so when the command does not end soon after the
// first.
func explainWait(ctx context.Context, stop func(), ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
		stop()
	}
	select {
	case <-ended:
	case <-time.After(waitNoticeDelay):
		fmt.Fprintln(os.Stderr, "verifyctl: interrupted, finishing the request under way; press Ctrl-C again to quit at once")
	}
}

// waitNoticeDelay is how long a command may take to end after Ctrl-C before a person is told what it waits for.
const waitNoticeDelay = 300 * time.Millisecond

func run(ctx context.Context, s *shell, args []string) int {
	s.args, s.input = args, s.in
	if s.inTerminal {
		s.input = interruptible{ctx, s.in}
	}
	results := &resultWriter{to: s.out}
	s.out, s.results, s.screen = results, results, s.err
	s.mask()
	typed := guardNegative(args)
	root := newRootCmd(s, typed)
	root.SetArgs(typed)
	err := root.ExecuteContext(ctx)
	s.nameMissing(ctx, err)
	s.rememberSeen(ctx)
	if closeErr := s.close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	err = results.outcome(err)
	if ctx.Err() != nil && err != nil {
		err = interrupted(err)
	}
	report(s.err, s.flags.format(args), err)
	return exitCode(err)
}

// interrupted is how a command ends after Ctrl-C: with what it says was done, and without the noise of the requests that
// were cancelled.
func interrupted(err error) error {
	var told *verify.Error
	if errors.As(err, &told) && told.Kind == verify.KindInterrupted && told.Hint != "" {
		return err // it says how to go on
	}
	if slices.Contains(kindsOf(err), verify.KindPartial) {
		return errors.Join(err, status{verify.KindInterrupted}) // it says what was done
	}
	return &verify.Error{Kind: verify.KindInterrupted, Message: "interrupted"}
}
