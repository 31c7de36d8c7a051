package twilio

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// decodeResource reads a resource, whose type in package verify has Twilio's names as JSON tags. Any value may be null, and
// a string may come as a number or a boolean; what should be an object or a list and is not counts as missing.
func decodeResource[R any](body []byte) (resource R, err error) {
	err = fillStruct(reflect.ValueOf(&resource).Elem(), body)
	if err == nil {
		err = complete(&resource, body)
	}
	return resource, err
}

// fillStruct sets the fields of a struct from an object.
func fillStruct(into reflect.Value, object []byte) error {
	wire := reflect.New(wireType(into.Type()))
	if err := decodeObject(object, wire.Interface()); err != nil {
		return err
	}
	for i := range into.NumField() {
		var err error
		switch value := wire.Elem().Field(i).Interface().(type) {
		case text:
			err = fillPlain(into.Field(i), value)
		case json.RawMessage:
			err = fill(into.Field(i), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wireType gives the type by which a struct is read in one pass: its fields, the plain ones as texts, the others as they
// came.
func wireType(of reflect.Type) reflect.Type {
	if known, ok := wireTypes.Load(of); ok {
		return known.(reflect.Type)
	}
	fields := reflect.VisibleFields(of)
	for i, f := range fields {
		fields[i].Type = reflect.TypeFor[text]()
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			fields[i].Type = reflect.TypeFor[json.RawMessage]()
		case reflect.Struct:
			if f.Type != reflect.TypeFor[time.Time]() {
				fields[i].Type = reflect.TypeFor[json.RawMessage]()
			}
		}
	}
	wire := reflect.StructOf(fields)
	wireTypes.Store(of, wire)
	return wire
}

var wireTypes sync.Map // of reflect.Type

// complete sets what package verify has in another form than Twilio.
func complete(resource any, body []byte) error {
	switch r := resource.(type) {
	case *verify.Service:
		var all map[string]json.RawMessage
		err := json.Unmarshal(body, &all)
		known := members{"": all}
		r.TOTP, r.Passkeys = hasMembers(known.at("totp")), hasMembers(known.at("passkeys"))
		r.Settings = settingsIn(known)
		return err
	case *verify.Credential:
		var wire struct{ Sandbox *text } // "True", "False" or null; a boolean is understood, too
		err := json.Unmarshal(body, &wire)
		r.SandboxText = (*string)(wire.Sandbox)
		r.Sandbox = verify.ParseSandbox(r.SandboxText)
		return err
	}
	return nil
}

// settingsIn reads the settings of a Service. What has another shape than documented is left out, and so not known.
func settingsIn(service members) verify.ServiceSettings {
	settings := verify.ServiceSettings{}
	for _, setting := range verify.ServiceSettingNames {
		if value, known := settingText(service.at(setting.Name)); known {
			settings[setting.Name] = value
		}
	}
	return settings
}

// members are those of a JSON object, under "", and of the objects in it, each decoded once and under its path.
type members map[string]map[string]json.RawMessage

// at gives the value at a path such as push.apn_credential_sid. What is below a null is null.
func (m members) at(path string) json.RawMessage {
	parent, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		parent, name = path[:dot], path[dot+1:]
	}
	inside, known := m[parent]
	if !known {
		raw := m.at(parent)
		if string(raw) == "null" {
			return raw
		}
		if decodeObject(raw, &inside) != nil {
			inside = nil
		}
		m[parent] = inside
	}
	return inside[name]
}

func settingText(raw json.RawMessage) (value string, known bool) {
	var list []string
	var one text
	switch {
	case len(raw) == 0 || raw[0] == '{':
		return "", false
	case raw[0] == '[':
		err := json.Unmarshal(raw, &list)
		return strings.Join(list, ","), err == nil
	}
	err := json.Unmarshal(raw, &one)
	return string(one), err == nil
}

// hasMembers tells whether a value is an object with something in it.
func hasMembers(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	return decodeObject(raw, &members) == nil && len(members) > 0
}

// fill sets what is no plain value. What is not of its kind, such as null, leaves it as it is.
func fill(into reflect.Value, raw json.RawMessage) error {
	switch {
	case len(raw) > 0 && raw[0] == '{':
		return fillObject(into, raw)
	case len(raw) > 0 && raw[0] == '[' && into.Kind() == reflect.Slice:
		return fillList(into, raw)
	}
	return nil
}

func fillObject(into reflect.Value, raw json.RawMessage) error {
	switch value := into.Addr().Interface().(type) {
	case *map[string]string: // twilio_verify_v2.json, metadata and hidden_details: "with only strings values"
		var texts map[string]text
		err := json.Unmarshal(raw, &texts)
		*value = make(map[string]string, len(texts))
		for key, t := range texts {
			(*value)[key] = string(t)
		}
		return err
	case *map[string]any:
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber() // numbers stay as they were written
		return dec.Decode(value)
	}
	switch into.Kind() {
	case reflect.Struct:
		return fillStruct(into, raw)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return fillStruct(into.Elem(), raw)
	}
	return nil
}

func fillList(into reflect.Value, raw json.RawMessage) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil || len(elements) == 0 {
		return err
	}
	into.Set(reflect.MakeSlice(into.Type(), len(elements), len(elements)))
	for i, element := range elements {
		var err error
		if list, ok := into.Addr().Interface().(*[]string); ok {
			err = json.Unmarshal(element, (*text)(&(*list)[i]))
		} else {
			err = fill(into.Index(i), element)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func fillPlain(into reflect.Value, written text) (err error) {
	switch value := into.Addr().Interface().(type) {
	case *time.Time:
		*value, err = written.time()
	case *int64:
		*value, err = written.count()
	case *int:
		*value, _ = strconv.Atoi(string(written)) //nolint:errcheck // only told, never acted on
	case *bool:
		*value = strings.EqualFold(string(written), "true")
	default:
		into.SetString(string(written))
	}
	return err
}

// identified is what is known of a resource beside its content.
type identified struct {
	key   string            // what it cannot be without, its SID as a rule
	owner verify.AccountSID // the account of the keys; "" where it may be another's
	whose verify.Identity   // of an entity's resources
	sids  []string          // by which it is named later: its own, and those of what it belongs to
}

func identify(resource any) identified {
	switch r := resource.(type) {
	case verify.Service:
		return identified{key: string(r.SID), owner: r.AccountSID}
	case verify.Webhook:
		return identified{key: string(r.SID), owner: r.AccountSID}
	case verify.Entity:
		return identified{string(r.SID), r.AccountSID, r.Identity, []string{string(r.SID)}}
	case verify.Factor:
		return identified{string(r.SID), r.AccountSID, r.Identity, []string{string(r.SID)}}
	case verify.Challenge:
		return identified{string(r.SID), r.AccountSID, r.Identity, []string{string(r.SID), string(r.FactorSID)}}
	case verify.Notification:
		return identified{string(r.SID), r.AccountSID, r.Identity, []string{string(r.ChallengeSID)}}
	case verify.Credential: // its account is not taken for that of the keys
		return identified{key: string(r.SID)}
	case verify.Alert: // its account may be a subaccount
		return identified{key: string(r.SID)}
	case verify.AuditEvent:
		return identified{key: r.SID}
	case verify.Account:
		return identified{key: string(r.SID)}
	case verify.APIKey:
		return identified{key: string(r.SID)}
	case verify.EventSubscription:
		return identified{key: r.SID}
	case verify.SubscribedEvent:
		return identified{key: r.Type}
	case verify.EventSink:
		return identified{key: r.SID}
	case verify.UsageRecord:
		return identified{key: r.Category}
	}
	return identified{}
}
