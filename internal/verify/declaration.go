package verify

import "fmt"

// ServiceDeclaration is what the service block of an environment states: how its Verify Service is to be set up. Only what
// it states counts; it never holds a secret.
type ServiceDeclaration struct {
	At       Place
	Settings ServiceSettings  // without those of push, which are in Push
	Places   map[string]Place // of each setting, by its name
	Push     map[Platform]PushDeclaration
	Webhooks []WebhookDeclaration
}

// Place is a line of a file; without a line it is the file, and the zero value no place.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// String gives file:line.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// PushDeclaration is what an environment states of its push credential for a platform.
type PushDeclaration struct {
	At      Place
	Name    string        // the credential's friendly_name
	SID     CredentialSID // "" when it is found by its name
	Sandbox Sandbox       // of an APNs credential; "" when it is not stated and follows ios_build
	Absent  bool          // ensure: absent

	Contents    ContentsKind // whether a file is declared, of which it is made
	ContentsAt  Place        // of its reference
	Description string       // the reference in words, such as "certificate_file secrets/apns.p12"
}

// ContentsKind says what is declared of the certificate or the service account of a push credential.
type ContentsKind int

// The kinds of contents.
const (
	ContentsUndeclared  ContentsKind = iota // nothing: the credential exists, and is neither made nor replaced
	ContentsDeclared                        // a reference to a file, a variable or a command
	ContentsPlaceholder                     // !placeholder, as an export writes it: there is nothing that could be sent
)

// WebhookDeclaration is what an environment states of one webhook. Empty fields are not stated.
type WebhookDeclaration struct {
	At      Place
	Webhook Webhook // SID, FriendlyName, URL, EventTypes, Version and Status
	Absent  bool    // ensure: absent
}

// PushFile is what a push credential is to be made of, as it was read through the references of an environment.
type PushFile struct {
	At    Place // of the reference
	Files []PushContent

	// Passphrase opens a PKCS #12 file or an encrypted key. The second value is false when none is declared.
	Passphrase   Secret
	HasPass      bool
	PassphraseAt string // where it is kept, in words
}

// PushContent is one file of a push credential: a certificate, its key or a service account. The content may be secret.
type PushContent struct {
	Name    string // for messages
	Content Secret
}
