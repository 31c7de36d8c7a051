package simulator

type formJSON struct {
	Type  string         `json:"form_type"`
	Forms map[string]any `json:"forms"`
	Meta  map[string]any `json:"form_meta"`
	URL   string         `json:"url"`
}

// fetchForm describes the inputs of push as JSON Schema (twilio_verify_v2.json, FetchForm).
func fetchForm(c *call) (reply, error) {
	if c.args[0] != "form-push" {
		return reply{}, c.notFound()
	}
	schema := func(required ...string) map[string]any {
		properties := map[string]any{}
		for _, name := range required {
			properties[name] = map[string]any{"type": "string"}
		}
		return map[string]any{"type": "object", "properties": properties, "required": required}
	}
	return ok(formJSON{
		Type: "form-push",
		Forms: map[string]any{
			"create_factor": schema("FriendlyName", "FactorType", "Binding.Alg", "Binding.PublicKey", "Config.AppId",
				"Config.NotificationPlatform", "Config.NotificationToken", "Config.SdkVersion"),
			"verify_factor":    schema("AuthPayload"),
			"create_challenge": schema("FactorSid", "Details.Message"),
		},
		Meta: map[string]any{},
		URL:  c.link("v2", "Forms", "form-push"),
	}), nil
}
