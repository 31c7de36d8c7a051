package doctor

// Build is what an iOS app, or its provisioning profile, says about itself.
type Build struct {
	File string
}
