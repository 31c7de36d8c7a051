package doctor

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxBaseline is the largest baseline that is read, in bytes.
const maxBaseline = 32 << 20

// Baseline is what an earlier report found: those findings are known, and do not fail a run again.
type Baseline map[string]Status

// rank orders the statuses by how bad they are.
var rank = map[Status]int{Warn: 1, Unknown: 2, Fail: 3}

// ReadBaseline reads a report that was written as JSON. The error is a usage error.
func ReadBaseline(from io.Reader) (Baseline, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxBaseline+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBaseline {
		return nil, verify.Usagef("the baseline is larger than %d MiB", maxBaseline>>20)
	}
	var earlier struct {
		Version *int `json:"version"`
		Results []struct {
			Status      Status `json:"status"`
			Fingerprint string `json:"fingerprint"`
		} `json:"results"`
	}
	if err := json.Unmarshal(text, &earlier); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, notABaseline().WithHint("byte %d: %v", syntax.Offset, err)
		}
		return nil, notABaseline()
	}
	if earlier.Version == nil || earlier.Results == nil {
		return nil, notABaseline()
	}
	if *earlier.Version != reportVersion {
		return nil, verify.Usagef("the baseline is a report of version %d, this is version %d", *earlier.Version, reportVersion).WithHint("write it anew with \"doctor -o json\"")
	}
	known := Baseline{}
	for _, result := range earlier.Results {
		if rank[result.Status] > rank[known[result.Fingerprint]] && result.Fingerprint != "" {
			known[result.Fingerprint] = result.Status
		}
	}
	return known, nil
}

func notABaseline() *verify.Error {
	return verify.Usagef("the baseline is not a report").WithHint("write one with \"doctor -o json\"")
}

// Compare marks the findings that the baseline knows. One that got worse since is new.
func (r *Report) Compare(known Baseline) {
	for i, result := range r.Results {
		was, ok := known[result.Fingerprint]
		r.Results[i].Known = ok && rank[result.Status] > 0 && rank[result.Status] <= rank[was]
	}
	r.Summary = summarise(r.Results)
}
