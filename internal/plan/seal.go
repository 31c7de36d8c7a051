package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const maxLine = 1 << 20 // bytes; a line that verifyctl writes is far below

// trailer is the last line, which seals what stands before it.
type trailer struct {
	SHA256 string `json:"sha256"`
}

// WriteTo writes the plan as NDJSON: the header, one line for each item, and a last line that holds the SHA-256 of all
// bytes before it. It sets ID.
func (p *Plan[H, I]) WriteTo(w io.Writer) (int64, error) {
	var text bytes.Buffer
	err := encode(&text, p.Header)
	for _, item := range p.Items {
		err = errors.Join(err, encode(&text, item))
	}
	sum := sha256.Sum256(text.Bytes())
	p.ID = hex.EncodeToString(sum[:])
	if err = errors.Join(err, encode(&text, trailer{p.ID})); err != nil {
		return 0, err
	}
	return text.WriteTo(w)
}

// encode writes a value as one line of JSON that people can read: < and & stay what they are.
func encode(w io.Writer, line any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// Read reads a plan exactly as [Plan.WriteTo] wrote it, and has its kind checked by check. Anything else, if only by one
// byte, is a refusal: a plan that was edited has not been reviewed.
func Read[H interface{ binding() Header }, I any](r io.Reader, check func(Plan[H, I]) error) (Plan[H, I], error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	in.Split(wholeLines)
	var p Plan[H, I]
	line, err := p.read(in)
	if err != nil {
		err = fmt.Errorf("line %d of the plan: %w", max(line, 1), err)
	} else if err = check(p); err != nil {
		err = fmt.Errorf("the plan: %w", err)
	}
	if err != nil {
		return Plan[H, I]{}, &verify.Error{Kind: verify.KindRefused, Message: err.Error(), Cause: err,
			Hint: "nothing was sent; make the plan again, and change what it holds by the flags that make it"}
	}
	return p, nil
}

// read gives the number of the last line that it read.
func (p *Plan[H, I]) read(in *bufio.Scanner) (line int, err error) {
	var text []byte // of the line before; that of the last one is the SHA-256
	sum := sha256.New()
	for in.Scan() {
		switch line {
		case 0:
		case 1:
			err = p.readHeader(text)
		default:
			err = p.readItem(text)
		}
		if err != nil {
			return line, err
		}
		sum.Write(text)
		text, line = bytes.Clone(in.Bytes()), line+1
	}
	if in.Err() != nil {
		return line + 1, in.Err()
	}
	var last trailer
	if err := decodeExactly(text, &last); err != nil || line == 1 {
		return line, errors.New("its SHA-256 is missing: the file was cut off, or is not a plan")
	}
	if p.ID = hex.EncodeToString(sum.Sum(nil)); last.SHA256 != p.ID {
		return line, errors.New("the SHA-256 does not match: the plan was changed after it was made")
	}
	return line, nil
}

func (p *Plan[H, I]) readHeader(text []byte) error {
	if err := decodeExactly(text, &p.Header); err != nil {
		return err
	}
	return p.Header.binding().check()
}

func (p *Plan[H, I]) readItem(text []byte) error {
	var item I
	err := decodeExactly(text, &item)
	p.Items = append(p.Items, item)
	return err
}

// wholeLines splits into lines with their line feeds.
func wholeLines(data []byte, atEnd bool) (int, []byte, error) {
	end := bytes.IndexByte(data, '\n') + 1
	switch {
	case end > 0:
		return end, data[:end], nil
	case atEnd && len(data) > 0:
		return 0, nil, errors.New("it is cut off")
	}
	return 0, nil, nil
}

// decodeExactly decodes a line and makes sure that encoding the value gives the same bytes again, so that no line has a
// second reading.
func decodeExactly[T any](line []byte, into *T) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8")
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("it is not a line of a plan: %w", err)
	}
	var again bytes.Buffer
	if err := encode(&again, into); err != nil {
		return err
	}
	if !bytes.Equal(again.Bytes(), line) {
		return errors.New("it is not as verifyctl wrote it")
	}
	return nil
}
