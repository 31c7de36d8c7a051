package pushfile

import (
	"archive/zip"
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"howett.net/plist"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

const team = "TEAM123456"

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

// signing says how a test's executable is signed.
type signing struct {
	xml, der  *Entitlements
	simulator bool
	encrypted bool
	unsigned  bool
}

func entitlementsXML(e Entitlements) []byte {
	var aps string
	if e.Environment != "" {
		aps = "<key>aps-environment</key><string>" + e.Environment + "</string>"
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>` + aps +
		"<key>application-identifier</key><string>" + e.Application + "</string><key>get-task-allow</key><false/></dict></plist>")
}

func entitlementsDER(t testing.TB, e Entitlements) []byte {
	t.Helper()
	element := func(class, tag int, bytes []byte) []byte {
		der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: class != 0 || tag == asn1.TagSequence, Bytes: bytes})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	text := func(s string) []byte { return element(0, asn1.TagUTF8String, []byte(s)) }
	pairs := element(0, asn1.TagSequence, append(text("application-identifier"), text(e.Application)...))
	if e.Environment != "" {
		pairs = append(pairs, element(0, asn1.TagSequence, append(text("aps-environment"), text(e.Environment)...))...)
	}
	pairs = append(pairs, element(0, asn1.TagSequence, append(text("get-task-allow"), 1, 1, 0))...)
	return element(asn1.ClassApplication, tagDictionary, append([]byte{2, 1, 1}, element(asn1.ClassContextSpecific, tagDictionary, pairs)...))
}

func blob(magic uint32, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, magic), uint32(8+len(body))), body...)
}

func superBlob(parts map[uint32][]byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(parts)))
	offset := 12 + 8*len(parts)
	var contents []byte
	for _, slot := range slices.Sorted(maps.Keys(parts)) {
		body = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(body, slot), uint32(offset+len(contents)))
		contents = append(contents, parts[slot]...)
	}
	return blob(magicSuperBlob, append(body, contents...))
}

// thin makes an executable of one slice.
func thin(t testing.TB, s signing) []byte {
	t.Helper()
	parts := map[uint32][]byte{0: blob(0xfade0c02, make([]byte, 40))} // a code directory
	if s.xml != nil {
		parts[slotEntitlements] = blob(magicEntitlements, entitlementsXML(*s.xml))
	}
	if s.der != nil {
		parts[slotEntitlementsDER] = blob(magicEntitlementsDER, entitlementsDER(t, *s.der))
	}
	signature := superBlob(parts)
	platform := uint32(2)
	if s.simulator {
		platform = platformSimulator
	}
	const at = 4096
	loads := [][]uint32{{loadBuildVersion, 24, platform, 0, 0, 0}}
	if s.encrypted {
		loads = append(loads, []uint32{0x2c, 24, 0, 4096, 1, 0}) // LC_ENCRYPTION_INFO_64
	}
	if !s.unsigned {
		loads = append(loads, []uint32{loadCodeSignature, 16, at, uint32(len(signature))})
	}
	var commands []byte
	for _, words := range loads {
		for _, word := range words {
			commands = binary.LittleEndian.AppendUint32(commands, word)
		}
	}
	var out []byte
	for _, word := range []uint32{0xfeedfacf, 0x0100000c, 0, 2, uint32(len(loads)), uint32(len(commands)), 0, 0} {
		out = binary.LittleEndian.AppendUint32(out, word)
	}
	out = append(out, commands...)
	return append(append(out, make([]byte, at-len(out))...), signature...)
}

// fat puts slices together.
func fat(parts ...[]byte) []byte {
	out := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0xcafebabe), uint32(len(parts)))
	offset := 4096
	for i, part := range parts {
		for _, word := range []uint32{0x0100000c, uint32(i), uint32(offset), uint32(len(part)), 12} {
			out = binary.BigEndian.AppendUint32(out, word)
		}
		offset += len(part)
	}
	out = append(out, make([]byte, 4096-len(out))...)
	return append(out, bytes.Join(parts, nil)...)
}

func infoPlist(t testing.TB, executable, identifier string, format int) []byte {
	t.Helper()
	text, err := plist.Marshal(map[string]any{"CFBundleExecutable": executable, "CFBundleIdentifier": identifier,
		"UISupportedInterfaceOrientations": []string{"a", "b"}, "UILaunchScreen": map[string]any{}}, format)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bundle gives the files of an app whose extension and watch app are signed otherwise.
func bundle(t testing.TB, profile, executable []byte) map[string][]byte {
	other := &Entitlements{"development", team + ".com.bank.example.share"}
	files := map[string][]byte{
		"Info.plist":                            infoPlist(t, "Bank", "com.bank.example", plist.BinaryFormat),
		"PlugIns/Share.appex/" + profileName:    profileText("development", "com.bank.example.share"),
		"PlugIns/Share.appex/Share":             thin(t, signing{xml: other}),
		"PlugIns/Share.appex/Info.plist":        infoPlist(t, "Share", "com.bank.example.share", plist.XMLFormat),
		"Watch/BankWatch.app/BankWatch":         thin(t, signing{xml: other}),
		"Watch/BankWatch.app/Info.plist":        infoPlist(t, "BankWatch", "com.bank.example.watch", plist.XMLFormat),
		"Frameworks/Core.framework/Core":        thin(t, signing{}),
		"Frameworks/Core.framework/Info.plist":  infoPlist(t, "Core", "com.bank.core", plist.BinaryFormat),
		"Frameworks/Bank.framework/Versions/no": nil,
	}
	if profile != nil {
		files[profileName] = profile
	}
	if executable != nil {
		files["Bank"] = executable
	}
	return files
}

func zipped(t testing.TB, prefix string, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(t testing.TB, file string, text []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func unpacked(t testing.TB, dir string, files map[string][]byte) string {
	t.Helper()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func TestReadAppOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	profile := profileText("production", "com.bank.example")
	signed := Entitlements{"production", team + ".com.bank.example"}
	store := signing{xml: &signed, der: &signed}
	files := bundle(t, profile, thin(t, store))
	archive := filepath.Join(dir, "Bank.xcarchive")
	write(t, filepath.Join(archive, "Info.plist"), infoPlist(t, "", "", plist.XMLFormat))
	app := unpacked(t, filepath.Join(archive, "Products/Applications/Bank.app"), files)
	for name, c := range map[string]struct {
		file            string
		profile, signed bool
	}{
		"profile":           {write(t, filepath.Join(dir, "live.mobileprovision"), profile), true, false},
		"ipa":               {write(t, filepath.Join(dir, "Bank.ipa"), zipped(t, "Payload/Bank.app/", files)), true, true},
		"renamed ipa":       {write(t, filepath.Join(dir, "Bank.zip"), zipped(t, "Payload/Bank.app/", files)), true, true},
		"archive":           {archive, true, true},
		"zipped archive":    {write(t, filepath.Join(dir, "archive.zip"), zipped(t, "Bank.xcarchive/Products/Applications/Bank.app/", files)), true, true},
		"app":               {app, true, true},
		"app with a slash":  {app + "/", true, true},
		"zipped app":        {write(t, filepath.Join(dir, "app.zip"), zipped(t, "Bank.app/", files)), true, true},
		"executable":        {filepath.Join(app, "Bank"), false, true},
		"fat":               {write(t, filepath.Join(dir, "fat"), fat(thin(t, store), thin(t, store))), false, true},
		"only XML":          {write(t, filepath.Join(dir, "xml"), thin(t, signing{xml: &signed})), false, true},
		"only DER":          {write(t, filepath.Join(dir, "der"), thin(t, signing{der: &signed})), false, true},
		"encrypted":         {write(t, filepath.Join(dir, "encrypted"), thin(t, signing{xml: &signed, der: &signed, encrypted: true})), false, true},
		"from the store":    {write(t, filepath.Join(dir, "store.ipa"), zipped(t, "Payload/Bank.app/", bundle(t, nil, thin(t, store)))), false, true},
		"executable missed": {write(t, filepath.Join(dir, "half.ipa"), zipped(t, "Payload/Bank.app/", bundle(t, profile, nil))), true, false},
		"broken profile":    {write(t, filepath.Join(dir, "odd.ipa"), zipped(t, "Payload/Bank.app/", bundle(t, []byte("hello"), thin(t, store)))), false, true},
	} {
		got, err := ReadApp(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (got.Profile != nil) != c.profile || (got.Signed != nil) != c.signed || got.Flaw != "" || got.AppID() != "com.bank.example" ||
			got.Entitlements() != signed || got.Entitlements().Build() != verify.IOSDistribution || got.Archive != strings.Contains(name, "archive") ||
			(got.Unread != "") == c.signed {
			t.Errorf("%s: %+v", name, got)
		}
		if c.profile && (got.Profile.Name != "Bank live" || !got.Profile.Expires.Equal(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))) {
			t.Errorf("%s: %+v", name, got.Profile)
		}
	}
}

func TestWhatXcodeAsksForIsNotWhatWasSigned(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "Bank.entitlements"), []byte(`<plist><dict><key>aps-environment</key><string>development</string></dict></plist>`))
	app, err := ReadApp(file)
	if err != nil {
		t.Fatal(err)
	}
	if app.Signed != nil || app.Requested == nil || app.Requested.Environment != "development" || app.AppID() != "" || !strings.Contains(app.Unread, "not what was signed") {
		t.Errorf("%+v", app)
	}
}

func TestASignatureThatIOSRefuses(t *testing.T) {
	production, development := Entitlements{"production", team + ".com.bank.example"}, Entitlements{"development", team + ".com.bank.example"}
	twice := bytes.Replace(entitlementsXML(production), []byte("<key>application"), []byte("<key>aps-environment</key><string>development</string><key>application"), 1)
	for name, c := range map[string]struct {
		executable []byte
		says       string
	}{
		"slices disagree":  {fat(thin(t, signing{xml: &production}), thin(t, signing{xml: &development})), "slices"},
		"one lacks it":     {fat(thin(t, signing{xml: &production}), thin(t, signing{xml: &Entitlements{Application: production.Application}})), "missing in another"},
		"forms disagree":   {thin(t, signing{xml: &production, der: &development}), "disagree"},
		"no signature":     {thin(t, signing{unsigned: true}), "no code signature"},
		"one not signed":   {fat(thin(t, signing{xml: &production}), thin(t, signing{unsigned: true})), "no code signature"},
		"named two values": {resigned(t, superBlob(map[uint32][]byte{slotEntitlements: blob(magicEntitlements, twice)})), "twice"},
	} {
		app, err := ReadApp(write(t, filepath.Join(t.TempDir(), "Bank"), c.executable))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if app.Signed != nil || !strings.Contains(app.Flaw, c.says) {
			t.Errorf("%s: %+v", name, app)
		}
	}
}

// resigned makes an executable with a signature of the test's own.
func resigned(t testing.TB, signature []byte) []byte {
	executable := thin(t, signing{})
	binary.LittleEndian.PutUint32(executable[32+24+12:], uint32(len(signature)))
	return append(executable[:4096:4096], signature...)
}

func TestSignatureThatCannotBeRead(t *testing.T) {
	signed := Entitlements{"production", team + ".com.bank.example"}
	whole := thin(t, signing{xml: &signed, der: &signed})
	good := blob(magicEntitlements, entitlementsXML(signed))
	huge := binary.BigEndian.AppendUint32(nil, magicSuperBlob)
	huge = append(huge, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	for name, executable := range map[string][]byte{
		"cut off":            whole[:len(whole)-1],
		"cut in the header":  whole[:20],
		"huge lengths":       resigned(t, huge),
		"no super blob":      resigned(t, good),
		"wrong magic":        resigned(t, superBlob(map[uint32][]byte{slotEntitlements: blob(magicEntitlementsDER, entitlementsXML(signed))})),
		"offset outside":     resigned(t, blob(magicSuperBlob, []byte{0, 0, 0, 1, 0, 0, 0, 5, 0xff, 0, 0, 0})),
		"same slot twice":    resigned(t, blob(magicSuperBlob, slices.Concat([]byte{0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 5, 0, 0, 0, 28}, good))),
		"no property list":   resigned(t, superBlob(map[uint32][]byte{slotEntitlements: blob(magicEntitlements, []byte("hello"))})),
		"broken DER":         resigned(t, superBlob(map[uint32][]byte{slotEntitlementsDER: blob(magicEntitlementsDER, []byte{0x70, 3, 2, 1})})),
		"a slice outside":    fat(whole)[:9000-len(whole)],
		"a Java class":       {0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0, 0},
		"a bomb":             slices.Concat(whole, make([]byte, 17<<20)),
		"a slice in a slice": fat(fat(whole)),
	} {
		file := write(t, filepath.Join(t.TempDir(), "Bank.ipa"), zipped(t, "Payload/Bank.app/", bundle(t, profileText("production", "com.bank.example"), executable)))
		app, err := ReadApp(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if app.Signed != nil || app.Unread == "" {
			t.Errorf("%s: %+v", name, app)
		}
	}
}

func TestReadAppSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	profile := profileText("production", "com.bank.example")
	app := func(files map[string][]byte) []byte { return zipped(t, "Payload/Bank.app/", files) }
	bad := func(name string) []byte {
		return zipped(t, "", map[string][]byte{name: nil, "Payload/Bank.app/" + profileName: profile})
	}
	var twice bytes.Buffer
	w := zip.NewWriter(&twice)
	for range 2 {
		if _, err := w.Create("Payload/Bank.app/" + profileName); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		says string
	}{
		"missing":            {filepath.Join(dir, "none.ipa"), "no such file"},
		"not a zip":          {write(t, filepath.Join(dir, "a.ipa"), []byte("hello")), "not an .ipa"},
		"from the store":     {write(t, filepath.Join(dir, "b.ipa"), app(map[string][]byte{"Info.plist": nil})), "App Store"},
		"two apps":           {write(t, filepath.Join(dir, "b2.ipa"), zipped(t, "Payload/", map[string][]byte{"A.app/" + profileName: profile, "B.app/" + profileName: profile})), "2 apps"},
		"extension":          {unpacked(t, filepath.Join(dir, "Share.appex"), bundle(t, profile, nil)) + "/", "extension"},
		"entry twice":        {write(t, filepath.Join(dir, "b3.ipa"), twice.Bytes()), "twice"},
		"entry outside":      {write(t, filepath.Join(dir, "b4.ipa"), bad("../Payload/Bank.app/Info.plist")), "not a path inside"},
		"absolute entry":     {write(t, filepath.Join(dir, "b5.ipa"), bad("/etc/passwd")), "not a path inside"},
		"empty folder":       {t.TempDir(), "no provisioning profile"},
		"no plist":           {write(t, filepath.Join(dir, "c.mobileprovision"), []byte("hello")), "no property list"},
		"cut off":            {write(t, filepath.Join(dir, "d.mobileprovision"), profile[:700]), "cut off"},
		"another plist":      {write(t, filepath.Join(dir, "e.mobileprovision"), []byte("<plist><dict><key>a</key><string>b</string></dict></plist>")), "no entitlements"},
		"no dictionary":      {write(t, filepath.Join(dir, "f.mobileprovision"), []byte("<plist><array/></plist>")), "no dictionary"},
		"no app":             {write(t, filepath.Join(dir, "g.mobileprovision"), bytes.Replace(profileText("production", "x"), []byte("TEAM123456.x"), nil, 1)), "application-identifier"},
		"nested for ever":    {write(t, filepath.Join(dir, "h.mobileprovision"), []byte("<plist>"+strings.Repeat("<array>", 100)+strings.Repeat("</array>", 100)+"</plist>")), "no dictionary"},
		"nested too deep":    {write(t, filepath.Join(dir, "h2.mobileprovision"), []byte("<plist><dict>"+strings.Repeat("<array>", 100)+strings.Repeat("</array>", 100)+"</dict></plist>")), "too deep"},
		"huge":               {write(t, filepath.Join(dir, "i.mobileprovision"), bytes.Repeat([]byte(" "), maxProfile+1)), "larger than"},
		"huge when unzipped": {write(t, filepath.Join(dir, "j.ipa"), app(map[string][]byte{profileName: bytes.Repeat([]byte(" "), maxProfile+1)})), "larger than"},
	} {
		got, err := ReadApp(c.file)
		if verify.KindOf(err) != verify.KindUsage || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: got %+v, %v; want an error that says %q", name, got, err, c.says)
		}
	}
}

// TestExecutableIsLookedForInsideTheApp holds that an Info.plist cannot name a file elsewhere.
func TestExecutableIsLookedForInsideTheApp(t *testing.T) {
	signed := Entitlements{"production", team + ".com.bank.example"}
	for _, name := range []string{"../Other", "/Other", "a/b", `..\Other`, "..", ".", ""} {
		dir := filepath.Join(t.TempDir(), "Bank.app")
		files := bundle(t, profileText("production", "com.bank.example"), nil)
		files["Info.plist"] = infoPlist(t, name, "com.bank.example", plist.XMLFormat)
		unpacked(t, dir, files)
		write(t, filepath.Join(dir, "..", "Other"), thin(t, signing{xml: &signed}))
		if app, err := ReadApp(dir); err != nil || app.Signed != nil || app.Unread == "" {
			t.Errorf("%q: %+v, %v", name, app, err)
		}
	}
	dir := unpacked(t, filepath.Join(t.TempDir(), "Bank.app"), bundle(t, profileText("production", "com.bank.example"), nil))
	outside := write(t, filepath.Join(t.TempDir(), "Other"), thin(t, signing{xml: &signed}))
	if err := os.Symlink(outside, filepath.Join(dir, "Bank")); err != nil {
		t.Fatal(err)
	}
	if app, err := ReadApp(dir); err != nil || app.Signed != nil {
		t.Errorf("a link out of the app: %+v, %v", app, err)
	}
}

func FuzzProfile(f *testing.F) {
	profiles := [][]byte{
		profileText("production", "com.bank.example"), profileText("", ""), infoPlist(f, "Bank", "com.bank.example", plist.BinaryFormat),
		[]byte("<plist><dict><key>Entitlements</key><dict></dict></dict></plist>"), []byte("<plist><dict><string>x</string></dict></plist>"),
	}
	for which := range profiles {
		f.Add(uint8(which), uint16(0), uint16(0), []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert []byte) {
		if len(insert) > longestEdit {
			return
		}
		app, err := parseProfileFile(edited(profiles[int(which)%len(profiles)], at, cut, insert), ".mobileprovision")
		if (app == nil) == (err == nil) {
			t.Fatalf("got %v and %v", app, err)
		}
		if app != nil && app.Profile != nil && (app.Profile.AppID() == "" || app.Profile.Build() == verify.IOSDistribution != (app.Profile.Environment == "production")) {
			t.Fatalf("%+v", app.Profile)
		}
		if app != nil && (app.Signed != nil || app.Unread == "") {
			t.Fatalf("a property list is no signature: %+v", app)
		}
	})
}

func FuzzPlist(f *testing.F) {
	f.Add(infoPlist(f, "Bank", "com.bank.example", plist.BinaryFormat))
	f.Add(infoPlist(f, "Bank", "com.bank.example", plist.XMLFormat))
	f.Fuzz(func(t *testing.T, text []byte) {
		var info struct {
			Executable string `plist:"CFBundleExecutable"`
			Nested     struct {
				Name string
			} `plist:"UILaunchScreen"`
		}
		if err := readPlist(text, &info); err == nil && len(info.Executable) > 4*len(text) {
			t.Fatalf("%d bytes gave a name of %d", len(text), len(info.Executable))
		}
	})
}

// FuzzSignature edits executables at one place: they are too long for an input, of which Go's fuzzing shortens all it keeps.
func FuzzSignature(f *testing.F) {
	signed := Entitlements{"production", team + ".com.bank.example"}
	executables := [][]byte{
		thin(f, signing{xml: &signed, der: &signed}), thin(f, signing{unsigned: true}),
		fat(thin(f, signing{xml: &signed}), thin(f, signing{der: &signed})),
	}
	f.Add(uint8(0), uint16(0), uint16(0), []byte{})
	f.Add(uint8(1), uint16(16), uint16(4), []byte{0, 0, 0, 9})
	f.Add(uint8(2), uint16(4096), uint16(60000), []byte{})
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert []byte) {
		if len(insert) > longestEdit {
			return
		}
		executable := edited(executables[int(which)%len(executables)], at, cut, insert)
		app := &App{}
		app.readSignature(bytes.NewReader(executable), int64(len(executable)))
		said := 0
		for _, is := range []bool{app.Signed != nil, app.Flaw != "", app.Unread != ""} {
			if is {
				said++
			}
		}
		if said != 1 {
			t.Fatalf("%+v", app)
		}
	})
}

const longestEdit = 100

// edited puts bytes at a place of a file, instead of so many that stand there.
func edited(file []byte, at, cut uint16, insert []byte) []byte {
	begin := min(int(at), len(file))
	end := min(begin+int(cut), len(file))
	return slices.Concat(file[:begin], insert, file[end:])
}

func FuzzSuperBlob(f *testing.F) {
	signed := Entitlements{"production", team + ".com.bank.example"}
	blobs := [][]byte{
		superBlob(map[uint32][]byte{slotEntitlements: blob(magicEntitlements, entitlementsXML(signed)), slotEntitlementsDER: blob(magicEntitlementsDER, entitlementsDER(f, signed))}),
		blob(magicSuperBlob, []byte{0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0}),
	}
	for which := range blobs {
		f.Add(uint8(which), uint16(0), uint16(0), []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert []byte) {
		if len(insert) > longestEdit {
			return
		}
		if e, err := parseSignature(edited(blobs[int(which)%len(blobs)], at, cut, insert)); err != nil && e != (Entitlements{}) {
			t.Fatalf("%+v with %v", e, err)
		}
	})
}
