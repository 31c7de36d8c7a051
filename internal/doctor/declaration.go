package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func declarationChecks() []Check {
	return []Check{
		{ID: "INT-01", Title: "what the environment declares does not contradict itself", Severity: severityFail, Certainty: certain,
			Heeds: []*Declaration{kind, iosBuild, platforms}, Remedy: "correct the environment file", Judge: consistent},
	}
}

// consistent judges the declaration alone. The other checks believe ios_build before platforms.
func consistent(snap *snapshot) answer {
	env := snap.Env
	var wrong []string
	apnListed := env.Uses(verify.PlatformAPN)
	switch env.IOSBuild {
	case verify.IOSDebug, verify.IOSDistribution:
		if len(env.Platforms) > 0 && !apnListed {
			wrong = append(wrong, fmt.Sprintf("ios_build is %s, but apn is not among the platforms", env.IOSBuild))
		}
	case verify.IOSNone:
		if apnListed {
			wrong = append(wrong, "ios_build is none, but apn is among the platforms")
		}
	case verify.IOSUndeclared:
	default:
		wrong = append(wrong, fmt.Sprintf("ios_build %q is none of debug, distribution and none", env.IOSBuild))
	}
	for _, platform := range env.Platforms {
		if !slices.Contains([]verify.Platform{verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone}, platform) {
			wrong = append(wrong, fmt.Sprintf("the platform %q is none of apn, fcm and none", platform))
		}
	}
	if len(wrong) > 0 {
		return fail("%s", strings.Join(wrong, "; ")).fix("correct the environment file")
	}
	if env.IOSBuild == verify.IOSDebug && env.IsProduction() {
		return warn("a production environment declares debug builds: users get theirs from the store or TestFlight, which are distribution builds").
			fix("correct ios_build or kind in the environment file")
	}
	return pass("nothing does")
}
