package event

import (
	"slices"
	"strings"
)

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

// spellings are the names that the fields come with. exact are those of Twilio's debugger webhook (PascalCase), Monitor API and
// Event Streams (snake_case), and of the exports of Twilio's CLI and SDKs (camelCase). other are those that consoles and chats
// make of them, squashed: in any mix of case, dashes, underscores and spaces.
var spellings = []spelling{
	{fieldCode, "error_code", "errorcode twilioerrorcode error"},
	{fieldMoreInfo, "more_info", "moreinfo"},
	{fieldResource, "resource_sid", "resourcesid"},
	{fieldService, "service_sid", "servicesid verifyservicesid"},
	{fieldCorrelation, "correlationIds", "correlationids correlationid"},
	{fieldPrimary, "primaryCorrelationId", "primarycorrelationid"},
	{fieldBinding, "bindingType", "bindingtype"},
	{fieldBindingSID, "bindingSid", "bindingsid"},
	{fieldNotification, "notificationSid", "notificationsid"},
	{fieldRequest, "requestId request_sid", "requestid requestsid"},
	{fieldDelivery, "deliverySid", "deliverysid"},
	{fieldFrom, "fromReference", "fromreference"},
	{fieldProviderMessage, "providerMessageId", "providermessageid"},
	{fieldModule, "module", "module"},
	{fieldDescription, "description", "description"},
	{fieldSID, "Sid sid id", "sid alertsid eventsid"},
	{fieldAccount, "account_sid AccountSid", "accountsid"},
	{fieldTime, "date_created date_generated Timestamp time", "datecreated dategenerated timestamp datefired"},
	{fieldLevel, "level Level log_level LogLevel", "level loglevel"},
	{fieldPayload, "payload Payload", "payload"},
	{fieldData, "data", ""},
	{fieldAlertText, "alert_text alertText", "alerttext"},
	{fieldAlerts, "alerts", ""},
	{fieldRecords, "Records records events logs logEvents entries Messages", ""},
	{fieldKinesis, "kinesis", ""},
	{fieldMsg, "Msg msg parserMessage", "parsermessage"},
	{fieldMessage, "message", ""},
	{fieldInfoCode, "ErrorCode", ""},
	{fieldRESTCode, "code", ""},
	{fieldSpecVersion, "specversion", ""},
	{fieldType, "type", ""},
	{fieldProduct, "product_name", "productname"},
	{fieldCorrelationSID, "correlation_sid", ""},
	{fieldTrigger, "AppMonitorTriggerSid", ""},
	{fieldUUID, "uuid", ""},
	{fieldIdentity, "identity entity_identity", "entityidentity"},
	{fieldFactor, "factor_sid", "factorsid"},
	{fieldChallenge, "challenge_sid", "challengesid"},
	{fieldEntity, "entity_sid", "entitysid"},
	{fieldOwn, "prune_evidence", ""},
	{fieldNone, "url request_url request_method request_variables request_headers response_headers response_body api_version" +
		" date_updated webhook isPassthrough source dataschema datacontenttype master_account_sid sourceComponent" +
		" httpResponse EmailNotification status ParentAccountSid PayloadType meta", ""}, // so that the usual ones are not looked at twice
}

type spelling struct {
	field        field
	exact, other string
}

var (
	exactFields = fieldsByName(func(s spelling) string { return s.exact })
	otherFields = fieldsByName(func(s spelling) string { return s.other })
)

func fieldsByName(names func(spelling) string) map[string]field {
	all := map[string]field{}
	for _, s := range spellings {
		for name := range strings.FieldsSeq(names(s)) {
			all[name] = s.field
		}
	}
	return all
}

// fieldOf gives the field of a name; fieldNone when it is none that matters.
func fieldOf(key string) field {
	if f, ok := exactFields[key]; ok {
		return f
	}
	if len(key) < 3 || len(key) > 32 {
		return fieldNone
	}
	return otherFields[squash(key)]
}

// fieldCache remembers names that were met, because an export repeats few of them; a name can take another's place.
type fieldCache [256]struct {
	name  string
	field field
}

// fieldNamed is [fieldOf] by way of a cache.
func fieldNamed[T string | []byte](c *fieldCache, key T) field {
	if len(key) == 0 || len(key) > maxCachedName {
		return fieldOf(string(key))
	}
	at := &c[byte(len(key)*7+int(key[0])*3+int(key[len(key)-1])+int(key[len(key)/2]))]
	if at.name != string(key) {
		at.name, at.field = string(key), fieldOf(string(key))
	}
	return at.field
}

// maxCachedName is the length of a name beyond which it is not remembered.
const maxCachedName = 64

// fields is a set of field.
type fields uint64

func (s fields) has(f field) bool { return s&(1<<f) != 0 }

func (s fields) hasAny(list ...field) bool {
	return slices.ContainsFunc(list, s.has)
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
