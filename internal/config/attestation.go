package config

import (
	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func readAttestations(d *document, n *yaml.Node, to *declaration) error {
	all, err := d.entries(n, "attestations")
	if err != nil {
		return err
	}
	to.env.Attestations = make(map[string]verify.Attestation, len(all))
	for _, e := range all {
		a, err := d.attestation(e)
		if err != nil {
			return err
		}
		to.env.Attestations[e.name()] = a
	}
	return nil
}

func (d *document) attestation(of entry) (a verify.Attestation, err error) {
	what := "the attestation " + shown(of.name())
	all, err := d.entries(of.value, what)
	if err != nil {
		return a, err
	}
	for _, e := range all {
		switch e.name() {
		case "by":
			a.By, err = d.text(e.value, "by")
		case "on":
			a.On, err = d.date(e.value, "on")
		case "until":
			a.Until, err = d.date(e.value, "until")
		case "value":
			a.Value, err = d.text(e.value, "value")
		default:
			err = d.unknownKey(e, "an attestation", []string{"by", "on", "until", "value"})
		}
		if err != nil {
			return a, err
		}
	}
	if a.By == "" || a.On == "" || a.Until == "" {
		return a, d.errorAt(of.key, "%s needs by, on and until", what)
	}
	return a, nil
}

func readCredentialNotes(d *document, n *yaml.Node, to *declaration) error {
	all, err := d.entries(n, "credential_notes")
	if err != nil {
		return err
	}
	to.env.CredentialNotes = make(map[verify.Platform]verify.CredentialNote, len(all))
	for _, e := range all {
		platform := verify.Platform(e.name())
		if platform != verify.PlatformAPN && platform != verify.PlatformFCM {
			return d.unknownKey(e, "credential_notes", []string{"apn", "fcm"})
		}
		note, err := d.credentialNote(e)
		if err != nil {
			return err
		}
		to.env.CredentialNotes[platform] = note
	}
	return nil
}

var credentialNoteKeys = []string{"credential", "expires", "topics", "recorded"}

func (d *document) credentialNote(of entry) (note verify.CredentialNote, err error) {
	all, err := d.entries(of.value, "a credential note")
	if err != nil {
		return note, err
	}
	for _, e := range all {
		switch e.name() {
		case "credential":
			note.CredentialSID, err = sid(d, e.value, "credential", verify.ParseCredentialSID)
		case "expires":
			note.Expires, err = d.date(e.value, "expires")
		case "topics":
			note.Topics, err = d.texts(e.value, "topics")
		case "recorded":
			note.Recorded, err = d.date(e.value, "recorded")
		default:
			err = d.unknownKey(e, "a credential note", credentialNoteKeys)
		}
		if err != nil {
			return note, err
		}
	}
	return note, nil
}
