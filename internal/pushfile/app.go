package pushfile

import (
	"archive/zip"
	"bytes"
	"cmp"
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

// App is what an iOS app says about how it is signed and which app it is. No signature is verified.
type App struct {
	File      string
	Bundle    string        // CFBundleIdentifier of its Info.plist; "" when that was not read
	Profile   *Profile      // what it may be signed with; nil when there is no profile, as in an app from the App Store
	Signed    *Entitlements // what its executable was signed with, which iOS goes by; nil when that was not read
	Unread    string        // why Signed is nil
	Misread   string        // why there is a profile that could not be read; "" for nothing
	Flaw      string        // what iOS refuses about the signature, such as slices that disagree; "" for nothing
	Requested *Entitlements // what an .entitlements file asks for, which Xcode may change when it signs
	Archive   bool          // an Xcode archive, which is signed again when it is exported
	Simulator bool          // built for the simulator
}

// Profile is what a provisioning profile allows an app to be signed with.
type Profile struct {
	Name    string
	Expires time.Time
	Entitlements
}

// Build tells what aps-environment means; [verify.IOSUndeclared] when it says neither.
func (e Entitlements) Build() verify.IOSBuild {
	switch e.Environment {
	case "development":
		return verify.IOSDebug
	case "production":
		return verify.IOSDistribution
	}
	return verify.IOSUndeclared
}

// Team is the first part of the application identifier.
func (e Entitlements) Team() string {
	team, _, _ := strings.Cut(e.Application, ".")
	return team
}

// AppID is the bundle id in the application identifier; of a profile it may be or end in *.
func (e Entitlements) AppID() string {
	_, id, _ := strings.Cut(e.Application, ".")
	return id
}

// Entitlements gives the best that is known: what was signed, else what the profile allows, else what is asked for.
func (a *App) Entitlements() Entitlements {
	switch {
	case a.Signed != nil:
		return *a.Signed
	case a.Profile != nil:
		return a.Profile.Entitlements
	case a.Requested != nil:
		return *a.Requested
	}
	return Entitlements{}
}

// Covers tells whether a profile is for an app that was signed as signed.
func (p *Profile) Covers(signed Entitlements) bool {
	if all, ok := strings.CutSuffix(p.Application, "*"); ok {
		return strings.HasPrefix(signed.Application, all)
	}
	return p.Application == signed.Application
}

// AppID is the app's bundle id; "" when what was read is a pattern or a build setting, such as * or $(…).
func (a *App) AppID() string {
	if a.Bundle != "" {
		return a.Bundle
	}
	if e := a.Entitlements(); !strings.ContainsAny(e.Application, "*$") {
		return e.AppID()
	}
	return ""
}

// These bound what is read of an app, in bytes. A profile with a hundred devices has some 30 KiB.
const (
	maxProfile    = 4 << 20
	maxExecutable = 512 << 20
	maxEntries    = 200_000 // of an .ipa
)

// profileName is how a profile is called inside an app.
const profileName = "embedded.mobileprovision"

// flaw is an error about a signature that iOS refuses, in contrast to one that could not be read here.
type flaw string

func (f flaw) Error() string { return string(f) }

// ReadApp reads an app offline: an .ipa, .app or .xcarchive, its executable, a .mobileprovision or an .entitlements file.
// The error is a usage error that says what is wrong with the file.
func ReadApp(file string) (*App, error) {
	app, err := readApp(filepath.Clean(file)) // shells put a slash behind the name of a folder
	if err != nil {
		return nil, verify.Usagef("%s: %w", file, err)
	}
	app.File = file
	return app, nil
}

func readApp(file string) (*App, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case strings.EqualFold(filepath.Ext(file), ".appex"):
		return nil, errors.New("it is an app extension, which is signed for itself: give the app")
	case info.IsDir():
		folder, err := os.OpenRoot(file)
		if err != nil {
			return nil, err
		}
		defer folder.Close()
		return readBundle(folder.FS(), strings.EqualFold(filepath.Ext(file), ".app"))
	case !info.Mode().IsRegular():
		return nil, errors.New("it is neither a file nor a folder")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 8)
	n, _ := io.ReadFull(f, head)
	switch head = head[:n]; {
	case isZip(head):
		return readIPA(f, info.Size())
	case strings.EqualFold(filepath.Ext(file), ".ipa"):
		return nil, errors.New("it is not an .ipa, which is a ZIP file")
	case isMachO(head):
		app := &App{}
		app.readSignature(f, info.Size())
		if app.Signed == nil && app.Flaw == "" {
			return nil, errors.New(app.Unread)
		}
		return app, nil
	}
	text, err := readBounded(io.MultiReader(bytes.NewReader(head), f))
	if err != nil {
		return nil, err
	}
	return parseProfileFile(text, filepath.Ext(file))
}

func isZip(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

func readIPA(f io.ReaderAt, size int64) (*App, error) {
	archive, err := zip.NewReader(f, size)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not an .ipa: %w", err)
	case len(archive.File) > maxEntries:
		return nil, fmt.Errorf("it has %d entries, which no app has", len(archive.File))
	}
	seen := map[string]bool{}
	for _, entry := range archive.File {
		name := strings.TrimSuffix(entry.Name, "/")
		if !fs.ValidPath(name) || seen[name] { // another reader might see another app in it
			return nil, fmt.Errorf("its entry %q is there twice, or is not a path inside it", entry.Name)
		}
		seen[name] = true
	}
	return readBundle(archive, false)
}

// readBundle reads the one app in a folder or an .ipa. The apps and extensions inside the app are signed for themselves.
func readBundle(in fs.FS, isApp bool) (*App, error) {
	root, archive := ".", false
	if !isApp {
		var apps []string
		for _, pattern := range []string{"Payload/*.app", "Products/Applications/*.app", "*.xcarchive/Products/Applications/*.app", "*.app"} {
			found, err := fs.Glob(in, pattern)
			if err != nil {
				return nil, err
			}
			archive = archive || len(found) > 0 && strings.Contains(pattern, "Products")
			apps = append(apps, found...)
		}
		if len(apps) > 1 {
			return nil, fmt.Errorf("it holds %d apps: give one", len(apps))
		}
		if len(apps) == 1 {
			root = apps[0]
		}
	}
	app := &App{Archive: archive}
	profileErr := app.readProfile(in, root)
	app.readExecutable(in, root)
	switch known := app.Profile != nil || app.Signed != nil || app.Flaw != ""; {
	case known && profileErr != nil:
		app.Misread = profileErr.Error()
	case profileErr != nil:
		return nil, profileErr
	case !known:
		return nil, fmt.Errorf("there is no provisioning profile in it, as in an app from the App Store, and %s", app.Unread)
	}
	return app, nil
}

func (a *App) readProfile(in fs.FS, root string) error {
	text, err := readIn(in, path.Join(root, profileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a.Profile, err = parseProfile(text)
	return err
}

// readExecutable finds the executable by the app's Info.plist, and reads what it was signed with.
func (a *App) readExecutable(in fs.FS, root string) {
	var info struct {
		Executable string `plist:"CFBundleExecutable"`
		Identifier string `plist:"CFBundleIdentifier"`
	}
	text, err := readIn(in, path.Join(root, "Info.plist"))
	if err == nil {
		err = readPlist(text, &info)
	}
	if err != nil {
		a.Unread = "its Info.plist, which names its executable, cannot be read: " + err.Error()
		return
	}
	a.Bundle = info.Identifier
	if info.Executable == "" || strings.ContainsAny(info.Executable, `/\`) || !fs.ValidPath(info.Executable) {
		a.Unread = fmt.Sprintf("its Info.plist names no executable: CFBundleExecutable is %q", info.Executable)
		return
	}
	if err := a.openExecutable(in, path.Join(root, info.Executable)); err != nil {
		a.Unread = "its executable cannot be read: " + err.Error()
	}
}

func (a *App) openExecutable(in fs.FS, name string) error {
	info, err := fs.Stat(in, name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file")
	case info.Size() > maxExecutable:
		return fmt.Errorf("it is larger than %d MiB", maxExecutable>>20)
	case isBomb(info):
		return errors.New("it is packed tighter than any executable can be")
	}
	f, err := in.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	executable, ok := f.(io.ReaderAt)
	if !ok { // it is packed
		unpacked := make([]byte, info.Size())
		if _, err := io.ReadFull(f, unpacked); err != nil {
			return err
		}
		executable = bytes.NewReader(unpacked)
	}
	a.readSignature(executable, info.Size())
	return nil
}

// isBomb tells a large file that was packed to next to nothing: code shrinks to a third or so.
func isBomb(info fs.FileInfo) bool {
	const large, tight = 16 << 20, 64
	packed, ok := info.Sys().(*zip.FileHeader)
	return ok && info.Size() > large && uint64(info.Size())/tight > packed.CompressedSize64
}

// readSignature takes down what the executable was signed with, or why that is not known.
func (a *App) readSignature(executable io.ReaderAt, size int64) {
	slices, simulator, err := signedEntitlements(executable, size)
	a.Simulator = simulator
	var refused flaw
	switch {
	case errors.As(err, &refused):
		a.Flaw = string(refused)
		return
	case err != nil:
		a.Unread = err.Error()
		return
	}
	for _, slice := range slices[1:] {
		if slice != slices[0] {
			a.Flaw = fmt.Sprintf("the slices of its executable were signed with different entitlements: aps-environment is %s in one and %s in another, for %s and %s",
				cmp.Or(slices[0].Environment, "missing"), cmp.Or(slice.Environment, "missing"), cmp.Or(slices[0].Application, "missing"), cmp.Or(slice.Application, "missing"))
			return
		}
	}
	a.Signed = &slices[0]
}

func readIn(in fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(in, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New(path.Base(name) + " is not a file")
	}
	f, err := in.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProfile {
		return nil, fmt.Errorf("its property list or profile is larger than %d MiB", maxProfile>>20)
	}
	return text, nil
}

// parseProfileFile reads a .mobileprovision file, or a property list of entitlements as Xcode has them in a project.
func parseProfileFile(text []byte, ext string) (*App, error) {
	var asked struct {
		Entitlements
		Nested *struct{} `plist:"Entitlements"`
	}
	if err := readPlist(text, &asked); err != nil {
		return nil, err
	}
	named := strings.EqualFold(ext, ".entitlements") || strings.EqualFold(ext, ".xcent")
	if asked.Nested == nil && (named || asked.Environment != "" || asked.Application != "") {
		return &App{Requested: &asked.Entitlements, Unread: "an .entitlements file is what Xcode asks for, not what was signed"}, nil
	}
	profile, err := parseProfile(text)
	if err != nil {
		return nil, err
	}
	return &App{Profile: profile, Unread: "a provisioning profile is what an app may be signed with, not what it was signed with"}, nil
}

// parseProfile reads a provisioning profile: a signed envelope around an XML property list.
func parseProfile(text []byte) (*Profile, error) {
	var found struct {
		Name         string
		Expires      time.Time `plist:"ExpirationDate"`
		Entitlements *Entitlements
	}
	switch err := readPlist(text, &found); {
	case err != nil:
		return nil, err
	case found.Entitlements == nil:
		return nil, errors.New("it is not a provisioning profile: there are no entitlements in it")
	case found.Entitlements.AppID() == "":
		return nil, errors.New("its application-identifier is missing, or has no bundle id")
	}
	return &Profile{Name: found.Name, Expires: found.Expires, Entitlements: *found.Entitlements}, nil
}
