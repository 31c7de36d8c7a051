package event

import (
	"cmp"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// correlation is what the correlationIds of an event say. Twilio prints them as a list without quotes, such as
// "[VA…, identity, YF…, YC…]", in no fixed order (Twilio's Verify Push best practices, "How do I know if the user
// uninstalls my app"), so each is told by its shape and what is left is the identity.
type correlation struct {
	service, entity, factor, challenge string
	identity                           string
	masked                             bool // one of the ids is
	ambiguous                          bool
	cut                                bool // the list has no end: its last id was dropped
	candidates                         []Candidate
	reasons                            []string
}

// maxIDs bounds how many ids of one event are looked at; real events have four.
const maxIDs = 64

// idGroups are the ids of a list by what they can be. Its memory is used again for the next list.
type idGroups struct {
	tokens                                  []string
	services, entities, factors, challenges []string
	spare                                   []string // SIDs of push events that are no Verify resource
	rest                                    []string // what is none of these
	runs                                    int      // how many runs of neighbours rest is made of
	cutRest                                 bool     // one of rest looks like a cut SID
	masked                                  bool     // one of the SIDs is masked
}

// correlate reads the printed list. others are the SIDs of the event's other fields, which are nobody's identity.
func (g *idGroups) correlate(text string, others []string) correlation {
	separator, whole := g.split(text)
	c := g.sort(separator, others)
	c.cut = !whole
	return c
}

// split takes the printed list apart. whole is false when the list has a beginning and no end; then the last token is
// left out unless it is a whole SID, because it may be cut.
func (g *idGroups) split(text string) (separator string, whole bool) {
	text, whole = stripBrackets(joinLines(text))
	separator = ", "
	if !strings.Contains(text, separator) {
		separator = ","
	}
	g.tokens = g.tokens[:0]
	for token := range strings.SplitSeq(text, separator) {
		g.tokens = append(g.tokens, unquoteID(token))
	}
	if last := len(g.tokens) - 1; !whole && !isWhole(g.tokens[last]) {
		g.tokens = g.tokens[:last]
	}
	g.tokens = g.tokens[:min(len(g.tokens), maxIDs)]
	return separator, whole
}

// unquoteID takes an id out of the quotes of a JSON list.
func unquoteID(token string) string {
	if bare := strings.Trim(token, " "); len(bare) > 1 && bare[0] == '"' && bare[len(bare)-1] == '"' {
		return bare[1 : len(bare)-1]
	}
	return token
}

// joinLines undoes line breaks that a chat or a terminal put into the list.
func joinLines(text string) string {
	if !strings.ContainsAny(text, "\r\n") {
		return text
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], " \t")
		if strings.HasSuffix(lines[i], ",") {
			lines[i] += " "
		}
	}
	return strings.Join(lines, "")
}

// stripBrackets removes one outer pair. Only the first bracket without the last means that the text was cut.
func stripBrackets(text string) (inner string, whole bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") {
		return text, true
	}
	if !strings.HasSuffix(text, "]") {
		return text[1:], false
	}
	return text[1 : len(text)-1], true
}

func isWhole(token string) bool {
	_, g := gradeSID(strings.TrimSpace(token))
	return g == wholeSID
}

func (g *idGroups) group(others []string) {
	g.services, g.entities, g.factors, g.challenges = g.services[:0], g.entities[:0], g.factors[:0], g.challenges[:0]
	g.spare, g.rest, g.runs, g.cutRest, g.masked = g.spare[:0], g.rest[:0], 0, false, false
	follows := false
	for _, raw := range g.tokens {
		token := strings.TrimSpace(raw)
		prefix, graded := gradeSID(token)
		switch {
		case token == "" || token == "null":
			continue
		case graded == cutSID || graded == notSID:
			prefix = ""
		case graded == maskSID:
			g.masked = true
		}
		inRest := false
		switch prefix {
		case "VA":
			g.services = addSID(g.services, token)
		case "YE":
			g.entities = addSID(g.entities, token)
		case "YF":
			g.factors = addSID(g.factors, token)
		case "YC":
			g.challenges = addSID(g.challenges, token)
		case "AC", "NT", "BS", "RQ", "DA", "CR":
			if !isOther(token, others) {
				g.spare = addSID(g.spare, token)
			}
		default:
			if graded == wholeSID && isOther(token, others) {
				continue
			}
			inRest = true
			g.rest = append(g.rest, raw)
			g.cutRest = g.cutRest || graded == cutSID
			if !follows {
				g.runs++
			}
		}
		follows = inRest
	}
}

func isOther(token string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return verify.SameSID(token, other) })
}

func addSID(list []string, sid string) []string {
	if slices.ContainsFunc(list, func(have string) bool { return verify.SameSID(have, sid) }) {
		return list
	}
	return append(list, sid)
}

// sort decides what each token is. Whatever can be read in two ways is ambiguous, with the readings as candidates.
func (g *idGroups) sort(separator string, others []string) correlation {
	g.group(others)
	c := correlation{masked: g.masked}
	c.service, c.entity = only(g.services), only(g.entities)
	c.factor, c.challenge = only(g.factors), only(g.challenges)
	identities := c.chooseIdentity(g, separator)

	if len(g.services) > 1 || len(g.factors) > 1 || len(g.challenges) > 1 {
		c.doubt("it names several Services, factors or challenges, or the identity looks like one")
	}
	if c.ambiguous {
		c.candidates = g.candidates(identities)
	}
	return c
}

// chooseIdentity sets the identity where there is one reading, and gives all that are possible.
func (c *correlation) chooseIdentity(g *idGroups, separator string) []string {
	switch {
	case len(g.rest) == 1:
		c.identity = g.rest[0]
		if g.cutRest {
			c.doubt("the identity looks like a cut SID")
		}
	case g.runs == 1:
		c.identity = strings.Join(g.rest, separator)
		c.doubt("several ids are left over that may be one identity with commas")
		return append([]string{c.identity}, g.rest...)
	case g.runs > 1:
		c.doubt("several ids are left over, of which one is the identity")
	case len(g.entities) > 0:
		return nil // the entity is named by its SID instead
	case len(g.spare) > 0:
		c.doubt("no identity is left over, unless it is a SID")
		return g.spare
	}
	return g.rest
}

func (c *correlation) doubt(reason string) {
	c.ambiguous = true
	c.reasons = append(c.reasons, reason)
}

// candidates lists the readings of an ambiguous list in a fixed order. Without a left-over id the identity is one of
// several SIDs of a kind.
func (g *idGroups) candidates(identities []string) []Candidate {
	var all []Candidate
	for _, identity := range identities {
		all = append(all, pairings(identity, g.services, g.factors, g.challenges)...)
	}
	if len(identities) == 0 {
		for i, sid := range several(g.services) {
			all = append(all, pairings(sid, without(g.services, i), g.factors, g.challenges)...)
		}
		for i, sid := range several(g.factors) {
			all = append(all, pairings(sid, g.services, without(g.factors, i), g.challenges)...)
		}
		for i, sid := range several(g.challenges) {
			all = append(all, pairings(sid, g.services, g.factors, without(g.challenges, i))...)
		}
	}
	slices.SortFunc(all, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.FactorSID, b.FactorSID),
			cmp.Compare(a.ServiceSID, b.ServiceSID), cmp.Compare(a.ChallengeSID, b.ChallengeSID))
	})
	return all[:min(len(all), maxIDs)]
}

// several gives a list that has more than one SID: the identity may be one of them.
func several(list []string) []string {
	if len(list) < 2 {
		return nil
	}
	return list
}

// pairings joins an identity with every Service, factor and challenge.
func pairings(identity string, services, factors, challenges []string) []Candidate {
	var all []Candidate
	for _, service := range orNone(services) {
		for _, factor := range factors {
			for _, challenge := range orNone(challenges) {
				if len(all) == maxIDs {
					return all
				}
				all = append(all, Candidate{Identity: identity, FactorSID: factor, ServiceSID: service, ChallengeSID: challenge})
			}
		}
	}
	return all
}

func only(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return ""
}

func orNone(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

func without(list []string, i int) []string {
	return slices.Concat(list[:i], list[i+1:])
}
