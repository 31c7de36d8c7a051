package doctor

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Build is what an iOS app says about itself by the provisioning profile it was signed with.
type Build struct {
	File        string
	Profile     string          // the profile's name
	Environment string          // aps-environment: development or production; "" when the app may get no pushes
	Signed      verify.IOSBuild // what aps-environment means; IOSUndeclared when it says neither
	AppID       string          // the bundle id, without the team
	Team        string
	Expires     time.Time // of the profile
	Archive     bool      // an Xcode archive, which is signed again when it is exported
}

// maxProfile is the largest provisioning profile that is read, in bytes. One with a hundred devices has some 30 KiB.
const maxProfile = 4 << 20

// profileName is how a profile is called inside an app.
const profileName = "embedded.mobileprovision"

// ReadBuild reads an app offline: an .ipa file, an .xcarchive or .app folder, or a .mobileprovision file. The error is a
// usage error that says what is wrong with the file.
func ReadBuild(file string) (*Build, error) {
	profile, archive, err := readProfile(file)
	if err != nil {
		return nil, verify.Usagef("%s: %w", file, err)
	}
	build, err := ParseProfile(profile)
	if err != nil {
		return nil, verify.Usagef("%s: %w", file, err)
	}
	build.File, build.Archive = file, archive
	return build, nil
}

func readProfile(file string) (profile []byte, archive bool, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, false, errors.Unwrap(err)
	}
	switch {
	case info.IsDir():
		return profileInFolder(file)
	case strings.EqualFold(filepath.Ext(file), ".ipa") || strings.EqualFold(filepath.Ext(file), ".zip"):
		profile, err = profileInApp(file)
		return profile, false, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	profile, err = readBounded(f)
	return profile, false, err
}

var errNoProfile = errors.New("there is no provisioning profile in it; one from the App Store has none, so take the one that was uploaded")

// profileInFolder looks into an .xcarchive or an .app.
func profileInFolder(folder string) (profile []byte, archive bool, err error) {
	inside := os.DirFS(folder)
	for _, pattern := range []string{profileName, "Products/Applications/*.app/" + profileName} {
		found, err := fs.Glob(inside, pattern)
		if err != nil || len(found) == 0 {
			continue
		}
		f, err := inside.Open(found[0])
		if err != nil {
			return nil, false, err
		}
		defer f.Close()
		profile, err = readBounded(f)
		return profile, pattern != profileName, err
	}
	return nil, false, errNoProfile
}

// profileInApp looks into an .ipa: a ZIP file with one app below Payload.
func profileInApp(file string) ([]byte, error) {
	app, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("it is not an .ipa: %w", err)
	}
	defer app.Close()
	for _, entry := range app.File {
		if ok, _ := path.Match("Payload/*.app/"+profileName, entry.Name); !ok {
			continue
		}
		f, err := entry.Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readBounded(f)
	}
	return nil, errNoProfile
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProfile {
		return nil, fmt.Errorf("its provisioning profile is larger than %d MiB", maxProfile>>20)
	}
	return text, nil
}

// ParseProfile reads a provisioning profile: a signed envelope around an XML property list. The signature is not
// verified.
func ParseProfile(text []byte) (*Build, error) {
	inner, err := findPlist(text)
	if err != nil {
		return nil, err
	}
	plist, err := parsePlist(inner)
	if err != nil {
		return nil, err
	}
	entitlements, ok := plist["Entitlements"].(map[string]any)
	if !ok {
		return nil, errors.New("it is not a provisioning profile: there are no entitlements in it")
	}
	build := &Build{Profile: textIn(plist, "Name"), Environment: textIn(entitlements, "aps-environment")}
	build.Expires, _ = plist["ExpirationDate"].(time.Time)
	build.Team, build.AppID, ok = strings.Cut(textIn(entitlements, "application-identifier"), ".")
	if !ok || build.AppID == "" {
		return nil, errors.New("its application-identifier is missing, or has no bundle id")
	}
	switch build.Environment {
	case "development":
		build.Signed = verify.IOSDebug
	case "production":
		build.Signed = verify.IOSDistribution
	}
	return build, nil
}

func textIn(dict map[string]any, key string) string {
	text, _ := dict[key].(string)
	return text
}
