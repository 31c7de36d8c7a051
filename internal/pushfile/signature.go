package pushfile

import (
	"bytes"
	"debug/macho"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Apple's code signature, as xnu's osfmk/kern/cs_blobs.h has it: a super blob of other blobs, all in big-endian order.
// Each begins with its magic and its length; the super blob goes on with a count and, for each blob, its slot and offset.
const (
	loadCodeSignature = 0x1d
	loadBuildVersion  = 0x32

	magicSuperBlob       = 0xfade0cc0
	magicEntitlements    = 0xfade7171
	magicEntitlementsDER = 0xfade7172

	slotEntitlements    = 5
	slotEntitlementsDER = 7

	platformSimulator = 7 // of LC_BUILD_VERSION: iOS in the simulator
)

// These bound what is read of an executable. The signature has a hash of 32 bytes for every 4 KiB of it.
const (
	maxSlices       = 16
	maxSignature    = 32 << 20
	maxBlobs        = 64
	maxEntitlements = 1 << 20
)

// Entitlements are those that matter for push.
type Entitlements struct {
	Environment string `plist:"aps-environment"`        // development, production, or "" when there is none
	Application string `plist:"application-identifier"` // the team, a dot, and the bundle id
}

// isMachO tells an executable of Apple's platforms by its first bytes, thin or fat.
func isMachO(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	switch binary.LittleEndian.Uint32(head) {
	case macho.Magic32, macho.Magic64:
		return true
	}
	return binary.BigEndian.Uint32(head) == macho.MagicFat && binary.BigEndian.Uint32(head[4:]) <= maxSlices // a Java class says its version there
}

// signedEntitlements gives what an executable was signed with, one for each slice.
func signedEntitlements(executable io.ReaderAt, size int64) (slices []Entitlements, simulator bool, err error) {
	defer func() {
		if broken := recover(); broken != nil { // bytes from outside must never end the program
			slices, err = nil, errors.New("its executable is damaged")
		}
	}()
	head := make([]byte, 8)
	if _, err := executable.ReadAt(head, 0); err != nil || !isMachO(head) {
		return nil, false, errors.New("its executable is not one of iOS")
	}
	if binary.BigEndian.Uint32(head) != macho.MagicFat {
		return readSlices(io.NewSectionReader(executable, 0, size))
	}
	var parts []*io.SectionReader
	for i := range int64(binary.BigEndian.Uint32(head[4:])) {
		arch := make([]byte, 20) // cpu, its subtype, offset, size, alignment
		if _, err := executable.ReadAt(arch, 8+i*20); err != nil {
			return nil, false, errors.New("its executable is cut off")
		}
		offset, length := int64(binary.BigEndian.Uint32(arch[8:])), int64(binary.BigEndian.Uint32(arch[12:]))
		if offset+length > size {
			return nil, false, errors.New("its executable is cut off")
		}
		parts = append(parts, io.NewSectionReader(executable, offset, length))
	}
	return readSlices(parts...)
}

func readSlices(parts ...*io.SectionReader) (slices []Entitlements, simulator bool, err error) {
	for _, part := range parts {
		file, err := macho.NewFile(part)
		if err != nil {
			return nil, false, fmt.Errorf("its executable cannot be read: %w", err)
		}
		signature, forSimulator, err := findSignature(file, part)
		if err != nil {
			return nil, false, err
		}
		signed, err := parseSignature(signature)
		if err != nil {
			return nil, false, err
		}
		slices, simulator = append(slices, signed), simulator || forSimulator
	}
	if len(slices) == 0 {
		return nil, false, errors.New("its executable is empty")
	}
	return slices, simulator, nil
}

// findSignature gives the bytes that LC_CODE_SIGNATURE points to. An encrypted executable, as the App Store gives it out,
// has it in the clear.
func findSignature(file *macho.File, in *io.SectionReader) (signature []byte, simulator bool, err error) {
	for _, load := range file.Loads {
		raw := load.Raw()
		if len(raw) < 12 {
			continue
		}
		switch order := file.ByteOrder; order.Uint32(raw) {
		case loadBuildVersion:
			simulator = order.Uint32(raw[8:]) == platformSimulator
		case loadCodeSignature:
			if signature != nil || len(raw) < 16 {
				return nil, false, errors.New("its code signature is damaged")
			}
			offset, length := int64(order.Uint32(raw[8:])), int64(order.Uint32(raw[12:]))
			if length > maxSignature || offset+length > in.Size() {
				return nil, false, errors.New("its code signature is cut off")
			}
			signature = make([]byte, length)
			if _, err := in.ReadAt(signature, offset); err != nil {
				return nil, false, errors.New("its code signature is cut off")
			}
		}
	}
	if len(signature) == 0 {
		return nil, simulator, flaw("its executable has no code signature")
	}
	return signature, simulator, nil
}

// parseSignature reads the entitlements of a code signature. They are there once as an XML property list and once in
// DER, which iOS goes by since iOS 15; where both are they have to agree.
func parseSignature(signature []byte) (Entitlements, error) {
	blobs, err := splitSuperBlob(signature)
	if err != nil {
		return Entitlements{}, err
	}
	var fromXML, fromDER Entitlements
	text, hasXML := blobs[slotEntitlements]
	if hasXML && len(bytes.TrimSpace(text)) > 0 {
		if bytes.Count(text, []byte(">aps-environment<")) > 1 {
			return Entitlements{}, flaw("its signed entitlements name aps-environment twice")
		}
		if err := readPlist(text, &fromXML); err != nil {
			return Entitlements{}, fmt.Errorf("its signed entitlements: %w", err)
		}
	}
	der, hasDER := blobs[slotEntitlementsDER]
	if !hasDER {
		return fromXML, nil
	}
	if fromDER, err = parseEntitlementsDER(der); err != nil {
		return Entitlements{}, err
	}
	if hasXML && fromXML != fromDER {
		return Entitlements{}, flaw("the two copies of its signed entitlements, XML and DER, disagree")
	}
	return fromDER, nil
}

// splitSuperBlob gives the contents of the blobs that hold entitlements, by slot.
func splitSuperBlob(signature []byte) (map[uint32][]byte, error) {
	damaged := errors.New("its code signature is damaged")
	body, ok := blobBody(signature, magicSuperBlob)
	if !ok || len(body) < 4 {
		return nil, damaged
	}
	count, index := binary.BigEndian.Uint32(body), body[4:]
	if count > maxBlobs || int(count)*8 > len(index) {
		return nil, damaged
	}
	magics := map[uint32]uint32{slotEntitlements: magicEntitlements, slotEntitlementsDER: magicEntitlementsDER}
	blobs := map[uint32][]byte{}
	for i := range int(count) {
		slot, offset := binary.BigEndian.Uint32(index[i*8:]), binary.BigEndian.Uint32(index[i*8+4:])
		magic, wanted := magics[slot]
		if !wanted {
			continue
		}
		if _, twice := blobs[slot]; twice || int64(offset) > int64(len(signature)) {
			return nil, damaged
		}
		content, ok := blobBody(signature[offset:], magic)
		if !ok || len(content) > maxEntitlements {
			return nil, damaged
		}
		blobs[slot] = content
	}
	return blobs, nil
}

// blobBody gives what stands behind the magic and the length of a blob.
func blobBody(blob []byte, magic uint32) ([]byte, bool) {
	if len(blob) < 8 || binary.BigEndian.Uint32(blob) != magic {
		return nil, false
	}
	length := int64(binary.BigEndian.Uint32(blob[4:]))
	if length < 8 || length > int64(len(blob)) {
		return nil, false
	}
	return blob[8:length], true
}

// The class and tag of a dictionary: [APPLICATION 16] around a version and [CONTEXT 16], or in older signatures a SET.
const tagDictionary = 16

// parseEntitlementsDER reads entitlements in Apple's DER form: pairs of a name and a value in a dictionary.
func parseEntitlementsDER(der []byte) (Entitlements, error) {
	damaged := errors.New("its signed entitlements (DER) are damaged")
	var top asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &top); err != nil || len(rest) > 0 || !top.IsCompound {
		return Entitlements{}, damaged
	}
	pairs := top.Bytes
	if top.Class == asn1.ClassApplication && top.Tag == tagDictionary {
		var version int
		var dictionary asn1.RawValue
		rest, err := asn1.Unmarshal(pairs, &version)
		if err != nil {
			return Entitlements{}, damaged
		}
		if rest, err = asn1.Unmarshal(rest, &dictionary); err != nil || len(rest) > 0 || dictionary.Class != asn1.ClassContextSpecific || dictionary.Tag != tagDictionary {
			return Entitlements{}, damaged
		}
		pairs = dictionary.Bytes
	} else if top.Class != asn1.ClassUniversal || top.Tag != asn1.TagSet {
		return Entitlements{}, damaged
	}
	var found Entitlements
	names := map[string]bool{}
	for len(pairs) > 0 {
		var pair struct {
			Name  string `asn1:"utf8"`
			Value asn1.RawValue
		}
		var err error
		if pairs, err = asn1.Unmarshal(pairs, &pair); err != nil || names[pair.Name] {
			return Entitlements{}, damaged
		}
		names[pair.Name] = true
		into := map[string]*string{"aps-environment": &found.Environment, "application-identifier": &found.Application}[pair.Name]
		if into == nil {
			continue
		}
		if pair.Value.Class != asn1.ClassUniversal || pair.Value.Tag != asn1.TagUTF8String {
			return Entitlements{}, damaged
		}
		*into = string(pair.Value.Bytes)
	}
	return found, nil
}
