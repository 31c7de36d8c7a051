package event

import "strings"

// The shapes an event comes in, as [Event.Source] names them.
const (
	SourceWebhook       = "webhook"        // the debugger webhook's form, or that form turned into JSON
	SourcePayload       = "payload"        // the webhook's Payload alone
	SourceMoreInfo      = "more_info"      // the Payload's more_info alone
	SourceAlert         = "alert"          // an alert of the Monitor API, or of an export of Twilio's CLI
	SourceAlertText     = "alert_text"     // an alert's text alone
	SourceCloudEvent    = "cloudevent"     // an event of Event Streams
	SourceConsole       = "console"        // lines copied from Twilio's Console
	SourceRESTError     = "rest_error"     // the body of an API error
	SourceAlertTrigger  = "alert_trigger"  // a usage alarm on alerts: counts only
	SourceVerifyWebhook = "verify_webhook" // a Verify webhook: factor.created, challenge.approved and so on
	SourceSalvaged      = "salvaged"       // SIDs picked out of a text
)

// sourceOf tells the shape by the keys of the outermost object and of all objects; "" is nothing we know.
func sourceOf(top, seen fields) string {
	switch {
	case top.has(fieldSpecVersion) && top.has(fieldType):
		return SourceCloudEvent
	case top.has(fieldAlertText):
		return SourceAlert
	case top.has(fieldTrigger):
		return SourceAlertTrigger
	case top.has(fieldPayload) && top.hasAny(fieldSID, fieldAccount, fieldLevel, fieldTime):
		return SourceWebhook
	case isVerifyWebhook(top):
		return SourceVerifyWebhook
	case top.hasAny(fieldCode, fieldInfoCode) && top.hasAny(fieldMoreInfo, fieldResource),
		top.has(fieldPayload) && seen.hasAny(fieldCode, fieldMoreInfo):
		return SourcePayload
	case top.hasPush(), top.has(fieldMoreInfo) && seen.hasPush():
		return SourceMoreInfo
	case top.has(fieldRESTCode) && top.has(fieldMessage):
		return SourceRESTError
	case top.has(fieldCode) && top.hasAny(fieldSID, fieldMessage, fieldAccount):
		return SourceAlert
	}
	return ""
}

func isVerifyWebhook(top fields) bool {
	return top.has(fieldType) && (top.has(fieldFactor) || top.has(fieldChallenge)) && top.hasAny(fieldUUID, fieldIdentity)
}

// formSource tells the shape of a form or of an alert's text.
func formSource(seen fields) string {
	switch {
	case seen.has(fieldTrigger):
		return SourceAlertTrigger
	case seen.has(fieldPayload):
		return SourceWebhook
	case isVerifyWebhook(seen):
		return SourceVerifyWebhook
	case seen.hasPush(), seen.hasAny(fieldMsg, fieldInfoCode, fieldCode):
		return SourceAlertText
	}
	return ""
}

// The types of Event Streams that carry debugger events (events-schemas.twilio.com/ErrorLogs.Error).
const errorLogType = "com.twilio.error-logs.error.logged"

// isOtherStream tells whether a CloudEvent is about something else than the debugger.
func (f *facts) isOtherStream() bool {
	return f.source == SourceCloudEvent && !strings.HasPrefix(f.streamType, "com.twilio.error-logs.")
}
