package doctor

func declarationChecks() []Check { return nil }
func credentialChecks() []Check  { return nil }
func webhookChecks() []Check     { return nil }
func captureChecks() []Check     { return nil }
func factorChecks() []Check      { return nil }
func dataChecks() []Check        { return nil }
func challengeChecks() []Check   { return nil }
func networkChecks() []Check     { return nil }
