package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// connecting are the settings that a flag or a VERIFYCTL_* variable may give instead of the file. Secrets, SIDs and the kind of an
// environment are none of them: a variable must not turn production into staging.
var connecting = []string{"base_url", "ca_file", "region", "edge", "readonly"}

// settings settles flag > VERIFYCTL_* > file.
type settings struct{ flags *pflag.FlagSet }

// over lays flags and variables over the flat values of a file.
func (s settings) over(file map[string]any, keys []string) *viper.Viper {
	v := viper.NewWithOptions(viper.KeyDelimiter("::"))
	v.SetEnvPrefix("VERIFYCTL")
	_ = v.MergeConfigMap(file) // never fails
	for _, key := range keys {
		_ = v.BindEnv(key) // fails only without a key
		if flag := s.flag(key); flag != nil {
			_ = v.BindPFlag(key, flag) // fails only without a flag
		}
	}
	return v
}

func (s settings) flag(key string) *pflag.Flag {
	if s.flags == nil {
		return nil
	}
	return s.flags.Lookup(strings.ReplaceAll(key, "_", "-"))
}

// value gives what a flag or a variable says, "" where neither does.
func (s settings) value(key string) string { return s.over(nil, []string{key}).GetString(key) }

// source says where the value of a setting came from: the flag or the variable's name, "" when from the file.
func (s settings) source(key string) string {
	if flag := s.flag(key); flag != nil && flag.Changed {
		return "--" + flag.Name
	}
	if s.over(nil, []string{key}).IsSet(key) {
		return variableFor(key)
	}
	return ""
}

func variableFor(key string) string { return "VERIFYCTL_" + strings.ToUpper(key) }

// connect lays flags and variables over what an environment declares about its connection.
func (s settings) connect(t *Target, decl *declaration) error {
	v := s.over(map[string]any{
		"base_url": decl.baseURL.value,
		"ca_file":  resolvePath(decl.caFile.value, decl.caFile.at.file),
		"region":   decl.region.value,
		"edge":     decl.edge.value,
		"readonly": decl.env.ReadOnly,
	}, connecting)
	readOnly, err := strconv.ParseBool(v.GetString("readonly"))
	if err != nil {
		return verify.Usagef("%s takes true or false, not %s", s.where("readonly", decl.at), shown(v.GetString("readonly")))
	}
	t.BaseURL, t.CAFile, t.Region, t.Edge = v.GetString("base_url"), v.GetString("ca_file"), v.GetString("region"), v.GetString("edge")
	// A variable can only add care: an environment declared read-only stays so.
	t.Environment.ReadOnly = readOnly || decl.env.ReadOnly
	switch {
	case decl.env.ReadOnly:
		t.ReadOnlyFrom = decl.at.String()
	case readOnly:
		t.ReadOnlyFrom = s.where("readonly", decl.at)
	}
	if err := checkHostLabel("region", t.Region, s.where("region", decl.region.at)); err != nil {
		return err
	}
	return checkHostLabel("edge", t.Edge, s.where("edge", decl.edge.at))
}

// where names the place a setting's value came from, for messages.
func (s settings) where(key string, file position) string {
	if source := s.source(key); source != "" {
		return source
	}
	return file.String()
}

// checkHostLabel refuses a region or an edge that is more than one harmless label: it becomes part of a host name.
func checkHostLabel(key, value, where string) error {
	if strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && !strings.HasPrefix(value, "-") && !strings.HasSuffix(value, "-") {
		return nil
	}
	return verify.Usagef("%s: the %s %s is not one of Twilio's names, such as ie1 or dublin", where, key, shown(value))
}

// checkBaseURL holds a base URL, "" for Twilio's own, against the rule of where account keys may go.
func checkBaseURL(raw string, allowed, production bool) error {
	if raw == "" {
		return nil
	}
	_, err := verify.ParseBaseURL(raw, allowed, production)
	return err
}

// resolvePath makes a path in a file absolute: it is relative to that file, and ~/ is the user's home.
func resolvePath(path, file string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}
