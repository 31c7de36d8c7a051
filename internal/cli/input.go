package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// openInput opens a file that the command line names, or standard input for "-"; what says what it holds, such as "the plan".
// A file that cannot be opened is wrong usage, and is named once.
func openInput(s *shell, what, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(s.standardInput(what)), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead(what, path, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, cannotRead(what, path, syscall.EISDIR)
	}
	return f, nil
}

func cannotRead(what, path string, err error) *verify.Error {
	var inFile *fs.PathError
	if errors.As(err, &inFile) {
		err = inFile.Err // it would name the file once more
	}
	return verify.Usagef("cannot read %s %s: %w", what, path, err)
}

// readInput parses a file, or standard input for "-".
func readInput[T any](s *shell, what, path string, parse func(io.Reader) (T, error)) (T, error) {
	f, err := openInput(s, what, path)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return parse(f)
}

// readAll reads a file, or standard input for "-", of at most so many bytes.
func readAll(s *shell, what, path string, most int64) ([]byte, error) {
	return readInput(s, what, path, func(r io.Reader) ([]byte, error) {
		data, err := io.ReadAll(io.LimitReader(r, most+1))
		if err == nil && int64(len(data)) > most {
			err = verify.Usagef("%s is larger than %d bytes", path, most)
		}
		return data, err
	})
}

// standardInput gives standard input; a person at a terminal is told that it is read.
func (s *shell) standardInput(what string) io.Reader {
	if s.inTerminal {
		s.note("type or paste %s, then press Ctrl-D", what)
	}
	return s.input
}

// interruptible is a terminal that is read: Ctrl-C ends a read at once, for which nothing else would.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text := make([]byte, len(p))
		n, err := r.in.Read(text)
		read <- answer{text[:n], err}
	}()
	select {
	case a := <-read:
		return copy(p, a.text), a.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
