package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var deviceResource = render.Resource[simulator.Device]{
	SID: func(d simulator.Device) string { return d.Factor },
	Columns: []render.Column[simulator.Device]{
		{Name: "factor_sid", Text: func(d simulator.Device) string { return d.Factor }},
		{Name: "identity", Text: func(d simulator.Device) string { return d.Identity }, Named: true},
		{Name: "friendly_name", Text: func(d simulator.Device) string { return d.Name }, Flex: true, Named: true},
		{Name: "platform", Text: func(d simulator.Device) string { return d.Platform }},
		{Name: "state", Text: deviceState, Tone: deviceTone},
		{Name: "status", Text: func(d simulator.Device) string { return d.Status }, Wide: true},
		{Name: "build", Text: func(d simulator.Device) string { return string(d.Build) }, Wide: true},
		{Name: "app_id", Text: func(d simulator.Device) string { return d.AppID }, Wide: true},
		{Name: "service_sid", Text: func(d simulator.Device) string { return d.Service }, Wide: true},
	},
}

// deviceState says what is wrong with a phone.
func deviceState(d simulator.Device) string {
	var wrong []string
	for _, s := range []struct {
		is   bool
		word string
	}{{d.Uninstalled, "uninstalled"}, {d.TokenDead, "token dead"}, {d.Muted, "muted"}, {d.LosesPushes, "loses pushes"}, {d.BadToken, "bad token"}, {!d.HasKey, "key elsewhere"}} {
		if s.is {
			wrong = append(wrong, s.word)
		}
	}
	if len(wrong) == 0 {
		return "in order"
	}
	return strings.Join(wrong, ", ")
}

func deviceTone(d simulator.Device) render.Tone {
	if deviceState(d) == "in order" {
		return render.Good
	}
	return render.Warn
}

func newSimulatorDeviceCmd(o *simulatorOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "device",
		Aliases: []string{"devices"},
		Short:   "Virtual phones: enrol, approve, deny, uninstall",
		Long: `A virtual phone enrols with a key of its own, gets pushes or loses them, and answers challenges with real signatures, found
by its push or by polling. This is what no account can do for an operator: only the phone's key answers.`,
	}
	cmd.AddCommand(
		newDeviceEnrollCmd(o), newDeviceListCmd(o),
		newDeviceAnswerCmd(o, "approve", "Approve a pending challenge as the user", verify.ChallengeApproved),
		newDeviceAnswerCmd(o, "deny", "Deny a pending challenge as the user", verify.ChallengeDenied),
		newDeviceChangeCmd(o, "uninstall", "Remove the app from the phone; its factor stays at Twilio", "", setting("uninstalled", true)),
		newDeviceChangeCmd(o, "mute", "Switch notifications off: pushes arrive unseen", "", setting("muted", true)),
		newDeviceChangeCmd(o, "unmute", "Switch notifications on again", "", setting("muted", false)),
		newDeviceChangeCmd(o, "lose-pushes", "Let the phone lose every push from now on", "", setting("loses_pushes", true)),
		newDeviceChangeCmd(o, "get-pushes", "Let the phone get pushes again", "", setting("loses_pushes", false)),
		newDeviceChangeCmd(o, "rotate-token", "Give the phone a new push token, which its app tells Twilio",
			"Give the phone a new push token, which its app tells Twilio; a dead token is thereby replaced.", (*simulator.Control).RotateToken),
		newDeviceChangeCmd(o, "reinstall", "Install the app again; it tells Twilio its new push token",
			`Install the app again, as an iOS app does that keeps its key meanwhile: it has a new push token, which it tells Twilio. An app
that lost its key enrols anew instead.`, (*simulator.Control).Reinstall),
		newDeviceBuildCmd(o),
	)
	return cmd
}

// deviceChoice picks one phone: by its factor, or the identity's only one.
type deviceChoice struct {
	identity string
	factor   string
}

func (c *deviceChoice) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.identity, "identity", "", "the user whose phone it is")
	cmd.Flags().StringVar(&c.factor, "factor", "", "the phone's factor YF…, where the identity has several")
}

func (c *deviceChoice) find(ctx context.Context, sim *simulator.Control, o *simulatorOptions) (simulator.Device, error) {
	if c.identity == "" && c.factor == "" {
		return simulator.Device{}, verify.Usagef("name the phone with --identity or --factor")
	}
	service, err := o.service()
	if err != nil {
		return simulator.Device{}, err
	}
	devices, err := sim.Devices(ctx, simulator.DeviceFilter{Service: service, Identity: c.identity, Factor: c.factor})
	switch {
	case err != nil:
		return simulator.Device{}, err
	case len(devices) == 0:
		return simulator.Device{}, notFound("no simulated phone belongs to %s%s", c.identity, c.factor).WithHint("see them: %s", o.typed("device", "list"))
	case len(devices) > 1:
		var names []string
		for _, d := range devices {
			names = append(names, fmt.Sprintf("%s %q (%s)", d.Factor, d.Name, deviceState(d)))
		}
		return simulator.Device{}, verify.Usagef("%s has %d phones: %s", c.identity, len(devices), strings.Join(names, "; ")).
			WithHint("name one with --factor")
	}
	return devices[0], nil
}

func newDeviceEnrollCmd(o *simulatorOptions) *cobra.Command {
	var e simulator.Enrolment
	cmd := &cobra.Command{
		Use: "enroll --identity IDENTITY", Aliases: []string{"enrol"}, Short: "Enrol a new phone for a user",
		Long: `Enrol a new phone: with an access token, a key pair of its own and the proof that it holds the key, as an app does it.

` + exitHelp(0, 1, 5),
		Example: `  verifyctl -e demo simulator device enroll --identity user-1003-chloe --name 'iPhone 17' --platform apn
  verifyctl -e demo simulator device enroll --identity user-2001-new --platform none --name Tablet`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := verify.ParseIdentity(e.Identity); err != nil {
				return err
			}
			if err := o.fromEnvironment(&e); err != nil {
				return err
			}
			return withSimulator(cmd.Context(), o, deviceResource, func(ctx context.Context, sim *simulator.Control) (simulator.Device, error) {
				if e.Service == "" {
					e.Service = simulator.DemoServiceSID
				}
				return sim.Enroll(ctx, e)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.Identity, "identity", "", "the user; a new one is made with the phone")
	flags.StringVar(&e.Service, "into", "", "the Service VA… (default: the environment's, else the demo's live one)")
	flags.StringVar(&e.Name, "name", "Virtual phone", "the phone's friendly name")
	flags.StringVar(&e.Platform, "platform", "", "apn, fcm or none (default apn)")
	flags.StringVar(&e.AppID, "app-id", "", "the app (default: the environment's first app id, else com.example.app)")
	choose(cmd, &e.Build, "ios-build", "how the iOS app is signed, whatever credential the Service has: debug or distribution (default: the environment's ios_build, else the Service's)",
		simulator.BuildDebug, simulator.BuildDistribution)
	flags.StringToStringVar(&e.Metadata, "metadata", nil, "what the app notes at enrolment, such as app_version=1.2.3")
	flags.BoolVar(&e.Unverified, "unverified", false, "stop before the proof of possession")
	moved(cmd, "simulator device enroll --ios-build BUILD", "build")
	return cmd
}

// fromEnvironment completes an enrolment by what the environment of -e declares.
func (o *simulatorOptions) fromEnvironment(e *simulator.Enrolment) error {
	target, err := o.environment()
	if err != nil || target == nil {
		return err
	}
	env := target.Environment
	if e.Service == "" {
		e.Service = string(env.ServiceSID)
	}
	if e.Service != string(env.ServiceSID) {
		return nil
	}
	if e.AppID == "" && len(env.AppIDs) > 0 {
		e.AppID = env.AppIDs[0]
	}
	isIOS := e.Platform == "" || e.Platform == string(verify.PlatformAPN)
	declared := env.IOSBuild == verify.IOSDebug || env.IOSBuild == verify.IOSDistribution
	if isIOS && declared && e.Build == "" {
		e.Build = simulator.Build(env.IOSBuild)
	}
	return nil
}

func newDeviceListCmd(o *simulatorOptions) *cobra.Command {
	var filter simulator.DeviceFilter
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the phones and what is wrong with them",
		Long: "List the simulated phones, with -e those of one environment.\n\n" + exitHelp(0, 1), Example: "  verifyctl -e demo simulator device list --identity user-1001-amara",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if filter.Service, err = o.service(); err != nil {
				return err
			}
			if cmd.Flags().Changed("limit") && filter.Limit < 1 {
				return verify.Usagef("--limit must be 1 or more, not %d", filter.Limit)
			}
			return withSimulatorList(cmd.Context(), o, deviceResource, "no phones match", func(ctx context.Context, sim *simulator.Control) ([]simulator.Device, error) {
				return sim.Devices(ctx, filter)
			})
		},
	}
	cmd.Flags().StringVar(&filter.Identity, "identity", "", "only phones of this user")
	cmd.Flags().IntVar(&filter.Limit, "limit", 0, "at most this many (default: all)")
	return cmd
}

// answered is what a phone did with a challenge.
type answered struct {
	Factor    string `json:"factor_sid"`
	Challenge string `json:"challenge_sid"`
	Status    string `json:"status"`
}

var answeredResource = render.Resource[answered]{
	SID: func(a answered) string { return a.Challenge },
	Columns: []render.Column[answered]{
		{Name: "challenge_sid", Text: func(a answered) string { return a.Challenge }},
		{Name: "status", Text: func(a answered) string { return a.Status }},
		{Name: "factor_sid", Text: func(a answered) string { return a.Factor }},
	},
}

// newPhoneCmd completes a command that does something to one phone and prints what came of it.
func newPhoneCmd[T any](o *simulatorOptions, cmd *cobra.Command, r render.Resource[T], do func(ctx context.Context, sim *simulator.Control, factor string, args []string) (T, error)) *cobra.Command {
	var choice deviceChoice
	choice.register(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withSimulator(cmd.Context(), o, r, func(ctx context.Context, sim *simulator.Control) (T, error) {
			device, err := choice.find(ctx, sim, o)
			if err != nil {
				var none T
				return none, err
			}
			return do(ctx, sim, device.Factor, args)
		})
	}
	return cmd
}

func newDeviceAnswerCmd(o *simulatorOptions, verb, short string, status verify.ChallengeStatus) *cobra.Command {
	return newPhoneCmd(o, &cobra.Command{
		Use: verb + " [YC…] --identity IDENTITY", Short: short,
		Long: `Open the app and answer a challenge, the newest pending one by default, signed with the phone's key. The app finds it by
polling, whether or not a push arrived.

` + exitHelp(0, 1, 5),
		Example: "  verifyctl -e demo simulator device " + verb + " --factor " + simulator.DemoIPhoneFactorSID,
		Args:    argsBetween(0, 1),
	}, answeredResource, func(ctx context.Context, sim *simulator.Control, factor string, args []string) (answered, error) {
		answer, err := sim.Answer(ctx, factor, simulator.DeviceAnswer{Challenge: strings.Join(args, ""), Status: string(status)})
		return answered{factor, answer.Challenge, answer.Status}, err
	})
}

// newDeviceChangeCmd is a command that only tells its server what to do with a phone.
func newDeviceChangeCmd(o *simulatorOptions, verb, short, long string, do func(*simulator.Control, context.Context, string) (simulator.Device, error)) *cobra.Command {
	return newPhoneCmd(o, &cobra.Command{
		Use: verb + " --identity IDENTITY", Short: short, Long: cmp.Or(long, short+".") + "\n\n" + exitHelp(0, 1, 5),
		Example: "  verifyctl -e demo simulator device " + verb + " --identity user-1003-chloe",
	}, deviceResource, func(ctx context.Context, sim *simulator.Control, factor string, _ []string) (simulator.Device, error) {
		return do(sim, ctx, factor)
	})
}

// setting changes one setting of a phone.
func setting(name string, value bool) func(*simulator.Control, context.Context, string) (simulator.Device, error) {
	return func(sim *simulator.Control, ctx context.Context, factor string) (simulator.Device, error) {
		return sim.ChangeDevice(ctx, factor, map[string]any{name: value})
	}
}

func newDeviceBuildCmd(o *simulatorOptions) *cobra.Command {
	builds := wordsOf([]simulator.Build{simulator.BuildDebug, simulator.BuildDistribution})
	return newPhoneCmd(o, &cobra.Command{
		Use: "ios-build debug|distribution --identity IDENTITY", Short: "Declare how the phone's iOS app is signed",
		Long: `Declare how the iOS app of a phone is signed, for one that enrolled from outside above all. A debug build gets pushes from
a credential with sandbox true, a distribution build from one with sandbox false. Undeclared, it gets them from either.

` + exitHelp(0, 1, 5),
		Example: "  verifyctl -e demo simulator device ios-build distribution --identity user-1003-chloe",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := argsBetween(1, 1)(cmd, args); err != nil {
				return err
			}
			_, err := oneOf("ios-build", args[0], builds...)
			return err
		},
		ValidArgs: builds,
	}, deviceResource, func(ctx context.Context, sim *simulator.Control, factor string, args []string) (simulator.Device, error) {
		return sim.ChangeDevice(ctx, factor, map[string]any{"build": args[0]})
	})
}
