package inspector

import (
	"bytes"
	"encoding/json"
	"strings"
)

const redacted = "[redacted]"

// secrets are parts of the names of parameters and keys whose values are not shown.
var secrets = []string{"token", "secret", "password", "private", "certificate", "publickey", "public_key", "authpayload", "auth_payload", "apikey", "api_key", "binding"}

func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range secrets {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func shown(name, value string) string {
	if isSecret(name) && value != "" {
		return redacted
	}
	return value
}

// Body is the reply, indented and without secrets. One that is no JSON is an error page of a gateway, which has none, or
// was cut off, so that its secrets cannot be found.
func (r request) Body() string {
	dec := json.NewDecoder(bytes.NewReader(r.Reply))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		if bytes.HasPrefix(r.Reply, []byte("<")) {
			return string(r.Reply)
		}
		return "The reply is too long to be shown."
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(redact(value)); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

func redact(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if isSecret(key) && member != nil {
				v[key] = redacted
				continue
			}
			v[key] = redact(member)
		}
	case []any:
		for i, element := range v {
			v[i] = redact(element)
		}
	}
	return value
}
