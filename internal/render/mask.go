package render

import (
	"slices"
	"strings"
)

// maskedLength is how many characters of an identity or a name --mask leaves.
const maskedLength = 4

// Mask shortens an identity or a name so that a screenshot can be shared.
func Mask(s string) string {
	runes := []rune(s)
	if len(runes) <= maskedLength {
		return strings.Repeat("*", len(runes))
	}
	return string(runes[:maskedLength]) + "…"
}

// maskedKeys are the JSON keys whose text, and all text below them, --mask shortens.
var maskedKeys = []string{"identity", "entity_identity", "friendly_name", "factor_friendly_name", "metadata", "details", "hidden_details"}

func maskValue(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			maskValue(item)
		}
	case map[string]any:
		for key, item := range v {
			if slices.Contains(maskedKeys, key) {
				v[key] = maskAll(item)
			} else {
				maskValue(item)
			}
		}
	}
}

// maskAll masks every text in a value.
func maskAll(v any) any {
	switch v := v.(type) {
	case string:
		return Mask(v)
	case []any:
		for i := range v {
			v[i] = maskAll(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = maskAll(v[key])
		}
	}
	return v
}
