package twilio

import (
	"net/url"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The products, by the first label of their host.
const (
	productVerify        = "verify"
	productNotify        = "notify"
	productConversations = "conversations"
	productMonitor       = "monitor"
	productAPI           = "api"
	productIAM           = "iam"
	productEvents        = "events"
)

// hosts tells where each product is. Either all are at one URL, or each has its own host under Twilio's domain.
type hosts struct {
	single *url.URL // nil when each product has its own host
	suffix string   // twilio.com, or edge.region.twilio.com
}

// base gives the URL in front of a product's paths.
func (h hosts) base(product string) *url.URL {
	if h.single == nil {
		return &url.URL{Scheme: "https", Host: product + "." + h.suffix}
	}
	base := *h.single
	if product == productConversations { // its /v1/Credentials is Notify's as well
		base.Path += "/" + productConversations
	}
	return &base
}

// accepts tells whether a paging link of a product may point to a host: the one that was asked, or Twilio's own when a
// proxy stands before it. Links are never followed; their page and token are taken out.
func (h hosts) accepts(product string, link *url.URL) bool {
	if link.User != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(link.Host), ":443")
	asked := strings.TrimSuffix(strings.ToLower(h.base(product).Host), ":443")
	return host == "" || host == asked || h.single != nil && host == product+"."+verify.TwilioDomain
}

// The regions a hostname can name with the one edge each has (twilio.com/docs/global-infrastructure, API domain
// migration guide). us1 is Twilio's default and needs none.
var edgeOfRegion = map[string]string{"us1": "", "ie1": "dublin", "au1": "sydney", "jp1": "tokyo"}

// retiredHost is the pattern product.region.twilio.com, which stopped working on 2026-04-28 for all regions but us1
// (Twilio's changelog, deprecation of region-specific API domain patterns).
var retiredHost = verify.Lazily(`^[a-z-]+\.(ie1|au1|br1|de1|jp1|sg1|us2)\.twilio\.com$`)

var hostLabel = verify.Lazily(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func (o *Options) hosts() (hosts, error) {
	if o.BaseURL == "" {
		return regionalHosts(o.Region, o.Edge)
	}
	if o.Region != "" || o.Edge != "" {
		return hosts{}, verify.Usagef("base_url cannot be combined with region or edge")
	}
	base, err := url.Parse(o.BaseURL) // without a network nothing leaves this process
	if o.Dial == nil {
		base, err = verify.ParseBaseURL(o.BaseURL, o.AllowBaseURL, false)
	}
	if err != nil {
		return hosts{}, err
	}
	if verify.IsTwilioHost(base.Hostname()) {
		return twilioHosts(base)
	}
	return hosts{single: base}, nil
}

// twilioHosts takes any product's host of Twilio for the same host of every product.
func twilioHosts(base *url.URL) (hosts, error) {
	host := strings.ToLower(base.Hostname())
	_, suffix, _ := strings.Cut(host, ".")
	switch {
	case retiredHost().MatchString(host):
		return hosts{}, verify.Usagef("%s is a host name of a kind that Twilio retired in April 2026", host).
			WithHint("leave base_url empty, and set region and edge if the account is not in us1")
	case base.Port() != "" && base.Port() != "443":
		return hosts{}, verify.Usagef("%s is not an address of Twilio's API: it is https://<product>.%s", base, verify.TwilioDomain)
	}
	return hosts{suffix: suffix}, nil
}

func regionalHosts(region, edge string) (hosts, error) {
	for name, label := range map[string]string{"region": region, "edge": edge} {
		if label != "" && !hostLabel().MatchString(label) {
			return hosts{}, verify.Usagef("%q is not a Twilio %s: lower-case letters, digits and dashes", label, name)
		}
	}
	if region == "" && edge != "" {
		region = "us1"
	}
	if edge == "" && region != "" {
		usual, known := edgeOfRegion[region]
		if !known {
			return hosts{}, verify.Usagef("region %s needs an edge: Twilio retired host names with a region alone", region).
				WithHint("regions are us1, ie1 with edge dublin, au1 with sydney, jp1 with tokyo")
		}
		edge = usual
	}
	if edge == "" {
		return hosts{suffix: verify.TwilioDomain}, nil
	}
	return hosts{suffix: edge + "." + region + "." + verify.TwilioDomain}, nil
}
