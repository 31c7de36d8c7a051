package config

import (
	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func (d *document) attestations(n *yaml.Node, key string) (map[string]verify.Attestation, error) {
	all, err := d.entries(n, key)
	if err != nil {
		return nil, err
	}
	attestations := make(map[string]verify.Attestation, len(all))
	for _, e := range all {
		if attestations[e.name()], err = d.attestation(e); err != nil {
			return nil, err
		}
	}
	return attestations, nil
}

func (d *document) attestation(of entry) (a verify.Attestation, err error) {
	what := "the attestation " + shown(of.name())
	err = d.mapping(of.value, what, "an attestation", []field{
		{"by", nil, into(&a.By, d.text)},
		{"on", nil, into(&a.On, d.date)},
		{"until", nil, into(&a.Until, d.date)},
		{"value", nil, into(&a.Value, d.text)},
	})
	if err == nil && (a.By == "" || a.On == "" || a.Until == "") {
		err = d.errorAt(of.key, "%s needs by, on and until", what)
	}
	return a, err
}

func (d *document) credentialNotes(n *yaml.Node, key string) (map[verify.Platform]verify.CredentialNote, error) {
	notes := map[verify.Platform]verify.CredentialNote{}
	read := func(e entry) error {
		var note verify.CredentialNote
		err := d.mapping(e.value, "a credential note", "a credential note", []field{
			{"credential", nil, into(&note.CredentialSID, sid(d, verify.ParseCredentialSID))},
			{"expires", nil, into(&note.Expires, d.date)},
			{"topics", nil, into(&note.Topics, d.texts)},
			{"recorded", nil, into(&note.Recorded, d.date)},
		})
		notes[verify.Platform(e.name())] = note
		return err
	}
	return notes, d.mapping(n, key, key, []field{{"apn", nil, read}, {"fcm", nil, read}})
}
