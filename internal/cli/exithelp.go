package cli

import (
	"slices"
	"strconv"
	"strings"
)

// exitMeanings says in words what each exit status means; help texts and docs/exit-codes.md are made from it.
var exitMeanings = []struct {
	status  int
	meaning string
}{
	{0, "done"},
	{1, "failed, a check failed, or Twilio refused"},
	{3, "partly done, or the outcome of a request is unknown"},
	{4, "not authorised: account keys are missing, wrong or not allowed to"},
	{5, "not found"},
	{6, "refused for safety, or not confirmed"},
	{7, "a rate or quota limit"},
	{8, "still pending when the time was over"},
	{9, "Twilio cannot be reached"},
	{10, "the challenge was denied"},
	{11, "the challenge has expired"},
	{64, "wrong usage; nothing was sent"},
	{130, "interrupted"},
}

// exitHelp is the part "Exit status" of a command's help. 64 and 130 belong to every command.
func exitHelp(statuses ...int) string {
	var b strings.Builder
	b.WriteString("Exit status:")
	for _, m := range exitMeanings {
		if slices.Contains(statuses, m.status) || m.status == 64 || m.status == 130 {
			b.WriteString("\n  " + (strconv.Itoa(m.status) + "  ")[:3] + "  " + m.meaning) // every start makes many of them
		}
	}
	return b.String()
}

// readStatuses are the exit statuses of a command that only reads from Twilio. What reads the environment file refuses one
// that others can change.
var readStatuses = []int{0, 1, 4, 5, 6, 7, 9}

// writeStatuses are those of a command that writes.
var writeStatuses = []int{0, 1, 3, 4, 5, 6, 7, 9}
