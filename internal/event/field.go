package event

import "strings"

// field is a piece of an event, whatever its spelling in one of the shapes.
type field uint8

const (
	fieldNone field = iota
	fieldSID
	fieldAccount
	fieldTime
	fieldLevel
	fieldProduct
	fieldCode     // error_code of alerts, payloads and streams
	fieldInfoCode // ErrorCode inside more_info, possibly followed by a comma and text
	fieldRESTCode // code of an API's error body
	fieldPayload
	fieldData
	fieldMoreInfo
	fieldAlertText
	fieldResource
	fieldService
	fieldCorrelation // correlationIds, the printed list
	fieldCorrelationSID
	fieldPrimary // primaryCorrelationId
	fieldBinding // bindingType
	fieldBindingSID
	fieldNotification
	fieldRequest
	fieldDelivery
	fieldFrom // fromReference: the push credential used
	fieldProviderMessage
	fieldModule
	fieldDescription
	fieldMsg
	fieldMessage
	fieldSpecVersion
	fieldType
	fieldTrigger
	fieldUUID
	fieldIdentity
	fieldFactor
	fieldChallenge
	fieldEntity
	fieldAlerts  // a list of alerts
	fieldRecords // a list of queue records
	fieldKinesis
	fieldOwn // prune_evidence, which only verifyctl writes
)

// fieldOf knows the spellings of Twilio's debugger webhook (PascalCase), Monitor API and Event Streams (snake_case), and
// of the exports of Twilio's CLI and SDKs (camelCase).
func fieldOf(key string) field {
	switch key {
	case "error_code":
		return fieldCode
	case "more_info":
		return fieldMoreInfo
	case "resource_sid":
		return fieldResource
	case "service_sid":
		return fieldService
	case "correlationIds":
		return fieldCorrelation
	case "primaryCorrelationId":
		return fieldPrimary
	case "bindingType":
		return fieldBinding
	case "bindingSid":
		return fieldBindingSID
	case "notificationSid":
		return fieldNotification
	case "requestId", "request_sid":
		return fieldRequest
	case "deliverySid":
		return fieldDelivery
	case "fromReference":
		return fieldFrom
	case "providerMessageId":
		return fieldProviderMessage
	case "module":
		return fieldModule
	case "description":
		return fieldDescription
	case "Sid", "sid", "id":
		return fieldSID
	case "account_sid", "AccountSid":
		return fieldAccount
	case "date_created", "date_generated", "Timestamp", "time":
		return fieldTime
	case "level", "Level", "log_level", "LogLevel":
		return fieldLevel
	case "payload", "Payload":
		return fieldPayload
	case "data":
		return fieldData
	case "alert_text", "alertText":
		return fieldAlertText
	case "alerts":
		return fieldAlerts
	case "Records", "records", "events", "logs", "logEvents", "entries", "Messages":
		return fieldRecords
	case "kinesis":
		return fieldKinesis
	case "Msg", "msg", "parserMessage":
		return fieldMsg
	case "message":
		return fieldMessage
	case "ErrorCode":
		return fieldInfoCode
	case "code":
		return fieldRESTCode
	case "specversion":
		return fieldSpecVersion
	case "type":
		return fieldType
	case "product_name":
		return fieldProduct
	case "correlation_sid":
		return fieldCorrelationSID
	case "AppMonitorTriggerSid":
		return fieldTrigger
	case "uuid":
		return fieldUUID
	case "identity", "entity_identity":
		return fieldIdentity
	case "factor_sid":
		return fieldFactor
	case "challenge_sid":
		return fieldChallenge
	case "entity_sid":
		return fieldEntity
	case "prune_evidence":
		return fieldOwn
	case "url", "request_url", "request_method", "request_variables", "request_headers", "response_headers",
		"response_body", "api_version", "date_updated", "webhook", "isPassthrough", "source", "dataschema",
		"datacontenttype", "master_account_sid", "sourceComponent", "httpResponse", "EmailNotification", "status",
		"ParentAccountSid", "PayloadType", "meta":
		return fieldNone
	}
	return otherSpelling(key)
}

// otherSpelling takes any mix of case, dashes, underscores and spaces, as consoles and chats make of the names.
func otherSpelling(key string) field {
	if len(key) < 3 || len(key) > 32 {
		return fieldNone
	}
	switch squash(key) {
	case "errorcode", "twilioerrorcode", "error":
		return fieldCode
	case "moreinfo":
		return fieldMoreInfo
	case "resourcesid":
		return fieldResource
	case "servicesid", "verifyservicesid":
		return fieldService
	case "correlationids", "correlationid":
		return fieldCorrelation
	case "primarycorrelationid":
		return fieldPrimary
	case "bindingtype":
		return fieldBinding
	case "bindingsid":
		return fieldBindingSID
	case "notificationsid":
		return fieldNotification
	case "requestid", "requestsid":
		return fieldRequest
	case "deliverysid":
		return fieldDelivery
	case "fromreference":
		return fieldFrom
	case "providermessageid":
		return fieldProviderMessage
	case "module":
		return fieldModule
	case "description":
		return fieldDescription
	case "sid", "alertsid", "eventsid":
		return fieldSID
	case "accountsid":
		return fieldAccount
	case "datecreated", "dategenerated", "timestamp", "datefired":
		return fieldTime
	case "level", "loglevel":
		return fieldLevel
	case "productname":
		return fieldProduct
	case "payload":
		return fieldPayload
	case "alerttext":
		return fieldAlertText
	case "parsermessage":
		return fieldMsg
	case "entityidentity":
		return fieldIdentity
	case "factorsid":
		return fieldFactor
	case "challengesid":
		return fieldChallenge
	case "entitysid":
		return fieldEntity
	}
	return fieldNone
}

// fields is a set of field.
type fields uint64

func (s fields) has(f field) bool { return s&(1<<f) != 0 }

func (s fields) hasAny(list ...field) bool {
	for _, f := range list {
		if s.has(f) {
			return true
		}
	}
	return false
}

func (s fields) hasPush() bool {
	return s.hasAny(fieldCorrelation, fieldPrimary, fieldBinding, fieldBindingSID, fieldNotification, fieldDelivery,
		fieldFrom, fieldProviderMessage)
}

// looksLikePairs tells whether a text is key=value pairs joined by "&" that hold at least one name we know.
func looksLikePairs(text string) bool {
	if !strings.Contains(text, "=") {
		return false
	}
	for pair := range strings.SplitSeq(text, "&") {
		if key, _, ok := strings.Cut(pair, "="); ok && len(key) < 64 && fieldOf(strings.TrimSpace(key)) != fieldNone {
			return true
		}
	}
	return false
}
