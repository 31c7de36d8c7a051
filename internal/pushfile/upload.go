package pushfile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Upload gives what Twilio is sent of the files, to make a push credential of one platform for an environment: the text that
// [Lint.Extract] would write, and the sandbox that the environment's iOS build needs. Everything that can be known before a
// request is checked: the error is a refusal that names the file, what is wrong and the fix. The credential has no name yet.
func (l *Lint) Upload(env verify.Environment, platform verify.Platform) (verify.CredentialWrite, error) {
	write := verify.CredentialWrite{Type: string(platform)}
	if err := cmp.Or(l.broken(), l.checkPlatform(platform)); err != nil {
		return write, err
	}
	pieces, err := l.pieces()
	if err != nil {
		return write, err
	}
	if platform == verify.PlatformFCM {
		write.Secret = verify.Secret(pieces[accountFile])
		return write, nil
	}
	write.Sandbox = env.IOSBuild.WantedSandbox()
	write.Certificate, write.PrivateKey = string(pieces[certificateFile]), verify.Secret(pieces[keyFile])
	if write.PrivateKey == "" {
		return write, l.refusal("there is no private key", "give the certificate together with its key: a .p12, or both files")
	}
	certificate := l.certificates[slices.IndexFunc(l.certificates, func(c pushCertificate) bool { return l.keys[0].belongsTo(c.certificate) })]
	return write, cmp.Or(env.CheckSandbox(verify.CredentialAPN, write.Sandbox), l.checkBuild(certificate, env), l.checkTopics(certificate, env))
}

// broken is a refusal of what is wrong with the files and cannot be mended.
func (l *Lint) broken() error {
	for _, line := range l.Lines {
		if line.Status == Fail && !line.mends {
			return verify.Refusedf("%s: %s: %s", line.File, line.What, line.Reason).WithHint("%s", line.Fix)
		}
	}
	for _, line := range l.Lines { // a file of which nothing could be checked has nothing but this
		if line.Status == Unknown {
			return verify.Refusedf("%s: %s: %s", line.File, line.What, line.Reason).WithHint("%s", line.Fix)
		}
	}
	return nil
}

func (l *Lint) checkPlatform(platform verify.Platform) error {
	switch l.Platform {
	case platform:
		return nil
	case "":
		return l.refusal("there is neither a push certificate nor a service account", giveCredential)
	}
	wanted := map[verify.Platform]string{verify.PlatformAPN: "a push certificate and its key", verify.PlatformFCM: "the JSON of a service account"}
	return l.refusal("it is for "+string(l.Platform)+", not for "+string(platform), "give "+wanted[platform])
}

// checkBuild refuses a certificate that Apple would not take for the pushes of the environment's build.
func (l *Lint) checkBuild(c pushCertificate, env verify.Environment) error {
	switch {
	case env.IOSBuild == verify.IOSDistribution && !c.production:
		return l.refusal("the certificate serves Apple's sandbox only, but "+env.Name+" has distribution builds", "take a certificate called Apple Push Services")
	case env.IOSBuild == verify.IOSDebug && !c.sandbox:
		return l.refusal("the certificate serves Apple's production only, but "+env.Name+" has debug builds", "take one called Apple Development IOS Push Services, or one for both")
	}
	return nil
}

// checkTopics refuses a certificate that is for none of the apps that the environment declares. A certificate that does not
// say what it is for, or an environment that declares no app, tells nothing.
func (l *Lint) checkTopics(c pushCertificate, env verify.Environment) error {
	topics := c.pushTopics()
	fits := slices.ContainsFunc(topics, func(topic string) bool { return slices.Contains(env.AppIDs, topic) })
	if fits || len(topics) == 0 || len(env.AppIDs) == 0 {
		return nil
	}
	return l.refusal("the certificate is for "+strings.Join(topics, ", ")+", but "+env.Name+" declares app_ids "+strings.Join(env.AppIDs, ", ")+": Apple would refuse every push (52143)",
		"take the certificate of the app, or mend app_ids in the environment file")
}

func (l *Lint) refusal(problem, fix string) error {
	return verify.Refusedf("%s: %s", strings.Join(l.files, ", "), problem).WithHint("%s", fix)
}

// Warnings gives what is worth saying of files that can be uploaded. What is taken off before they are sent is not.
func (l *Lint) Warnings() []Line {
	return slices.DeleteFunc(slices.Clone(l.Lines), func(line Line) bool { return line.Status != Warn || line.mends })
}
