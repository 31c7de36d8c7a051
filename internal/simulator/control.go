package simulator

import "net/http"

// controlPath is where the simulator itself is controlled; Twilio uses no such path.
const controlPath = "/__simulator/"

func (s *Simulator) serveControl(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
