// Package debugger is where debugger events come from: the alerts that Twilio still has, what this machine has stored,
// and what Twilio delivers. Whoever needs events asks one [Feed], which gives each once.
package debugger
