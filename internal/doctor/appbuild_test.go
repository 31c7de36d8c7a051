package doctor

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// profileText is a provisioning profile as Xcode writes it: a signed envelope, here only hinted at, around a property list.
func profileText(environment, appID string) []byte {
	aps := ""
	if environment != "" {
		aps = "<key>aps-environment</key>\n<string>" + environment + "</string>"
	}
	return fmt.Appendf(nil, "0\x82\x2e\xa8\x06\x09*\x86H\x86\xf7\r\x01\x07\x02\xa0\x82"+`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>AppIDName</key><string>Bank</string>
	<key>ApplicationIdentifierPrefix</key><array><string>TEAM123456</string></array>
	<key>DeveloperCertificates</key><array><data>MIIB</data></array>
	<key>Entitlements</key>
	<dict>
		%s
		<key>application-identifier</key><string>TEAM123456.%s</string>
		<key>get-task-allow</key><true/>
	</dict>
	<key>ExpirationDate</key><date>2027-03-01T12:00:00Z</date>
	<key>Name</key><string>Bank live</string>
	<key>TimeToLive</key><integer>365</integer>
</dict>
</plist>`+"\xa0\x82\x0d\x2f0\x82", aps, appID)
}

// ipa makes an app with a profile, and one of an extension that must not be taken for the app's.
func ipa(t *testing.T, name string, profile []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for entry, text := range map[string][]byte{
		"Payload/Bank.app/PlugIns/Share.appex/embedded.mobileprovision": profileText("development", "com.bank.example.share"),
		name: profile,
	} {
		f, err := w.Create(entry)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(t *testing.T, file string, text []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadBuildOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	profile := profileText("production", "com.bank.example")
	archive := filepath.Join(dir, "Bank.xcarchive")
	write(t, filepath.Join(archive, "Products/Applications/Bank.app/embedded.mobileprovision"), profile)
	for name, file := range map[string]string{
		"profile": write(t, filepath.Join(dir, "live.mobileprovision"), profile),
		"ipa":     write(t, filepath.Join(dir, "Bank.ipa"), ipa(t, "Payload/Bank.app/embedded.mobileprovision", profile)),
		"archive": archive,
		"app":     filepath.Join(archive, "Products/Applications/Bank.app"),
	} {
		build, err := ReadBuild(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if build.Signed != verify.IOSDistribution || build.AppID != "com.bank.example" || build.Team != "TEAM123456" || build.Profile != "Bank live" ||
			!build.Expires.Equal(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)) || build.Archive != (name == "archive") {
			t.Errorf("%s: %+v", name, build)
		}
	}
}

func TestReadBuildSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file string
		says string
	}{
		"missing":            {filepath.Join(dir, "none.ipa"), "no such file"},
		"not a zip":          {write(t, filepath.Join(dir, "a.ipa"), []byte("hello")), "not an .ipa"},
		"from the store":     {write(t, filepath.Join(dir, "b.ipa"), ipa(t, "Payload/Bank.app/Info.plist", nil)), "App Store"},
		"empty folder":       {t.TempDir(), "no provisioning profile"},
		"no plist":           {write(t, filepath.Join(dir, "c.mobileprovision"), []byte("hello")), "no property list"},
		"cut off":            {write(t, filepath.Join(dir, "d.mobileprovision"), profileText("production", "a.b")[:700]), "cut off"},
		"another plist":      {write(t, filepath.Join(dir, "e.mobileprovision"), []byte("<plist><dict><key>a</key><string>b</string></dict></plist>")), "no entitlements"},
		"no dictionary":      {write(t, filepath.Join(dir, "f.mobileprovision"), []byte("<plist><array/></plist>")), "no dictionary"},
		"no app":             {write(t, filepath.Join(dir, "g.mobileprovision"), bytes.Replace(profileText("production", "x"), []byte("TEAM123456.x"), nil, 1)), "application-identifier"},
		"nested for ever":    {write(t, filepath.Join(dir, "h.mobileprovision"), []byte("<plist>"+strings.Repeat("<array>", 100)+strings.Repeat("</array>", 100)+"</plist>")), "too deep"},
		"huge":               {write(t, filepath.Join(dir, "i.mobileprovision"), bytes.Repeat([]byte(" "), maxProfile+1)), "larger than"},
		"huge when unzipped": {write(t, filepath.Join(dir, "j.ipa"), ipa(t, "Payload/Bank.app/embedded.mobileprovision", bytes.Repeat([]byte(" "), maxProfile+1))), "larger than"},
	} {
		build, err := ReadBuild(c.file)
		if verify.KindOf(err) != verify.KindUsage || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: got %+v, %v; want an error that says %q", name, build, err, c.says)
		}
	}
}

func TestBuildAgainstDeclarationAndCredential(t *testing.T) {
	for name, c := range map[string]struct {
		environment, appID string
		break_             func(*bench)
		want               [3]Status // BUILD-01, -02, -03
	}{
		"as declared":    {"production", "com.bank.example", func(*bench) {}, [3]Status{Pass, Pass, Pass}},
		"debug build":    {"development", "com.bank.example", func(*bench) {}, [3]Status{Fail, Fail, Pass}},
		"no push":        {"", "com.bank.example", func(*bench) {}, [3]Status{Fail, Unknown, Pass}},
		"unknown word":   {"sandbox", "com.bank.example", func(*bench) {}, [3]Status{Unknown, Unknown, Pass}},
		"other app":      {"production", "com.other.example", func(*bench) {}, [3]Status{Pass, Pass, Fail}},
		"undeclared":     {"production", "com.bank.example", func(b *bench) { b.env.IOSBuild, b.env.AppIDs = "", nil }, [3]Status{Unknown, Pass, Unknown}},
		"unreadable":     {"production", "com.bank.example", func(b *bench) { b.apn().Sandbox = verify.SandboxUnknown }, [3]Status{Pass, Unknown, Pass}},
		"wrong sandbox":  {"production", "com.bank.example", func(b *bench) { b.apn().Sandbox = verify.SandboxTrue }, [3]Status{Pass, Fail, Pass}},
		"expired":        {"production", "com.bank.example", func(b *bench) { b.now = noon.AddDate(1, 0, 0) }, [3]Status{Warn, Pass, Pass}},
		"none attached":  {"production", "com.bank.example", func(b *bench) { b.service().Push.APNCredentialSID = "" }, [3]Status{Pass, Skipped, Pass}},
		"refused to say": {"production", "com.bank.example", func(b *bench) { b.refuse["Credential"] = denied(403, 20006) }, [3]Status{Pass, Unknown, Pass}},
	} {
		t.Run(name, func(t *testing.T) {
			build, err := ParseProfile(profileText(c.environment, c.appID))
			if err != nil {
				t.Fatal(err)
			}
			f, env := healthy()
			b := &bench{fakeTwilio: f, env: env, now: noon}
			c.break_(b)
			target := f.target(b.env)
			target.Now = b.now
			report := examine(t, []Target{target}, Options{Build: build, Only: []string{"BUILD-*"}})
			for i, want := range c.want {
				id := fmt.Sprintf("BUILD-%02d", i+1)
				if got := find(t, report, "live", id); got.Status != want {
					t.Errorf("%s is %s, want %s: %s", id, got.Status, want, got.Reason)
				}
			}
		})
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add(profileText("production", "com.bank.example"))
	f.Add(profileText("", ""))
	f.Add([]byte("<plist><dict><key>Entitlements</key><dict></dict></dict></plist>"))
	f.Add([]byte("<plist><dict><string>x</string></dict></plist>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		build, err := ParseProfile(text)
		if (build == nil) == (err == nil) {
			t.Fatalf("got %v and %v", build, err)
		}
		if build != nil && (build.AppID == "" || build.Signed == verify.IOSDistribution != (build.Environment == "production")) {
			t.Fatalf("%+v", build)
		}
	})
}
