package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// openInput opens a file that the command line names, or standard input for "-"; what says what it holds, such as "the plan".
// A file that cannot be opened is wrong usage, and is named once.
func openInput(in io.Reader, what, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(in), nil
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
func readInput[T any](in io.Reader, what, path string, parse func(io.Reader) (T, error)) (T, error) {
	f, err := openInput(in, what, path)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return parse(f)
}

// readAll reads a file, or standard input for "-", of at most so many bytes.
func readAll(in io.Reader, what, path string, most int64) ([]byte, error) {
	return readInput(in, what, path, func(r io.Reader) ([]byte, error) {
		data, err := io.ReadAll(io.LimitReader(r, most+1))
		if err == nil && int64(len(data)) > most {
			err = verify.Usagef("%s is larger than %d bytes", path, most)
		}
		return data, err
	})
}
