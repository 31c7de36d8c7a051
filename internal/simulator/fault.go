package simulator

import (
	"context"
	"net/http"
)

type firedFault struct{}

func (*firedFault) before(w http.ResponseWriter) http.ResponseWriter { return w }
func (*firedFault) afterwards(*http.Request)                         {}

func (s *Simulator) findFault(context.Context, string, int64) (*firedFault, *apiError) {
	return nil, nil
}

func (t *tx) lossFault(string, string) bool { return false }
