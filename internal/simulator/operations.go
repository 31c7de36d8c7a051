package simulator

import (
	"net/http"
	"strings"
)

// routes is the whole API.
var routes = []route{
	on(verify, http.MethodGet, "v2/Services", "ListService", listServices),
	on(verify, http.MethodPost, "v2/Services", "CreateService", createService),
	on(verify, http.MethodGet, "v2/Services/{}", "FetchService", shown((*call).service, (*call).serviceJSON)).forDevices(),
	on(verify, http.MethodPost, "v2/Services/{}", "UpdateService", with((*call).service, updateService)),
	on(verify, http.MethodDelete, "v2/Services/{}", "DeleteService", with((*call).service, deleteService)),
	on(verify, http.MethodGet, "v2/Services/{}/RateLimits", "ListRateLimit", with((*call).service, emptyOf("rate_limits"))),
	on(verify, http.MethodGet, "v2/Services/{}/MessagingConfigurations", "ListMessagingConfiguration", with((*call).service, emptyOf("messaging_configurations"))),
	on(verify, http.MethodPost, "v2/Services/{}/Verifications", "CreateVerification", with((*call).service, createVerification)),
	on(verify, http.MethodPost, "v2/Services/{}/VerificationCheck", "CreateVerificationCheck", checkVerification),

	on(verify, http.MethodGet, "v2/Services/{}/Entities", "ListEntity", with((*call).service, listEntities)),
	on(verify, http.MethodPost, "v2/Services/{}/Entities", "CreateEntity", with((*call).service, createEntity)),
	on(verify, http.MethodGet, "v2/Services/{}/Entities/{}", "FetchEntity", shown((*call).entity, (*call).entityJSON)),
	on(verify, http.MethodDelete, "v2/Services/{}/Entities/{}", "DeleteEntity", with((*call).entity, deleteEntity)),

	on(verify, http.MethodGet, "v2/Services/{}/Entities/{}/Factors", "ListFactor", with((*call).entity, listFactors)),
	on(verify, http.MethodPost, "v2/Services/{}/Entities/{}/Factors", "CreateNewFactor", with((*call).service, createFactor)).forDevices(),
	on(verify, http.MethodGet, "v2/Services/{}/Entities/{}/Factors/{}", "FetchFactor", shown((*call).factor, (*call).factorJSON)).forDevices(),
	on(verify, http.MethodPost, "v2/Services/{}/Entities/{}/Factors/{}", "UpdateFactor", with((*call).factor, updateFactor)).forDevices(),
	on(verify, http.MethodDelete, "v2/Services/{}/Entities/{}/Factors/{}", "DeleteFactor", with((*call).factor, deleteFactor)).forDevices(),

	on(verify, http.MethodGet, "v2/Services/{}/Entities/{}/Challenges", "ListChallenge", with((*call).entity, listChallenges)).forDevices(),
	on(verify, http.MethodPost, "v2/Services/{}/Entities/{}/Challenges", "CreateChallenge", with((*call).entity, createChallenge)),
	on(verify, http.MethodGet, "v2/Services/{}/Entities/{}/Challenges/{}", "FetchChallenge", with((*call).challenge, fetchChallenge)).forDevices(),
	on(verify, http.MethodPost, "v2/Services/{}/Entities/{}/Challenges/{}", "UpdateChallenge", with((*call).challenge, answerChallenge)).forDevices(),
	on(verify, http.MethodPost, "v2/Services/{}/Entities/{}/Challenges/{}/Notifications", "CreateNotification", with((*call).challenge, createNotification)),

	on(verify, http.MethodPost, "v2/Services/{}/AccessTokens", "CreateAccessToken", with((*call).service, createAccessToken)),
	on(verify, http.MethodGet, "v2/Services/{}/AccessTokens/{}", "FetchAccessToken", shown((*call).accessToken, (*call).accessTokenJSON)),

	on(verify, http.MethodGet, "v2/Services/{}/Webhooks", "ListWebhook", with((*call).service, listWebhooks)),
	on(verify, http.MethodPost, "v2/Services/{}/Webhooks", "CreateWebhook", with((*call).service, createWebhook)),
	on(verify, http.MethodGet, "v2/Services/{}/Webhooks/{}", "FetchWebhook", shown((*call).webhook, (*call).webhookJSON)),
	on(verify, http.MethodPost, "v2/Services/{}/Webhooks/{}", "UpdateWebhook", with((*call).webhook, updateWebhook)),
	on(verify, http.MethodDelete, "v2/Services/{}/Webhooks/{}", "DeleteWebhook", with((*call).webhook, deleteWebhook)),

	on(verify, http.MethodGet, "v2/Forms/{}", "FetchForm", fetchForm),

	// One store of push credentials is seen through three products; that they share it at Twilio is an assumption.
	on(notify, http.MethodGet, "v1/Credentials", "ListCredential", listCredentials),
	on(notify, http.MethodPost, "v1/Credentials", "CreateCredential", createCredential),
	on(notify, http.MethodGet, "v1/Credentials/{}", "FetchCredential", shown((*call).credential, (*call).credentialJSON)),
	on(notify, http.MethodPost, "v1/Credentials/{}", "UpdateCredential", with((*call).credential, updateCredential)),
	on(notify, http.MethodDelete, "v1/Credentials/{}", "DeleteCredential", with((*call).credential, deleteCredential)),

	on(conversations, http.MethodGet, "v1/Credentials", "ListConversationsCredential", listCredentials),
	on(conversations, http.MethodPost, "v1/Credentials", "CreateConversationsCredential", createCredential),
	on(conversations, http.MethodGet, "v1/Credentials/{}", "FetchConversationsCredential", shown((*call).credential, (*call).credentialJSON)),
	on(conversations, http.MethodPost, "v1/Credentials/{}", "UpdateConversationsCredential", with((*call).credential, updateCredential)),
	on(conversations, http.MethodDelete, "v1/Credentials/{}", "DeleteConversationsCredential", with((*call).credential, deleteCredential)),

	on(chat, http.MethodGet, "v2/Credentials", "ListChatCredential", listCredentials),
	on(chat, http.MethodPost, "v2/Credentials", "CreateChatCredential", createCredential),
	on(chat, http.MethodGet, "v2/Credentials/{}", "FetchChatCredential", shown((*call).credential, (*call).credentialJSON)),
	on(chat, http.MethodPost, "v2/Credentials/{}", "UpdateChatCredential", with((*call).credential, updateCredential)),
	on(chat, http.MethodDelete, "v2/Credentials/{}", "DeleteChatCredential", with((*call).credential, deleteCredential)),

	on(monitor, http.MethodGet, "v1/Alerts", "ListAlert", listAlerts),
	on(monitor, http.MethodGet, "v1/Alerts/{}", "FetchAlert", shown((*call).alert, (*call).alertInstanceJSON)),

	on(monitor, http.MethodGet, "v1/Events", "ListEvent", listEvents),
	on(monitor, http.MethodGet, "v1/Events/{}", "FetchEvent", shown((*call).event, (*call).eventJSON)),

	on(accounts, http.MethodGet, "2010-04-01/Accounts.json", "ListAccount", listAccounts),
	on(accounts, http.MethodGet, "2010-04-01/Accounts/{}.json", "FetchAccount", shown((*call).namedAccount, (*call).accountJSON)),
	on(accounts, http.MethodGet, "2010-04-01/Accounts/{}/Usage/Records.json", "ListUsageRecord", listUsage),

	on(iam, http.MethodGet, "v1/Keys", "ListGetKeys", listKeys),
	on(iam, http.MethodPost, "v1/Keys", "CreateNewKey", createKey),
	on(iam, http.MethodGet, "v1/Keys/{}", "FetchKey", shown((*call).apiKey, (*call).keyJSON)),
	on(iam, http.MethodPost, "v1/Keys/{}", "UpdateKey", with((*call).apiKey, updateKey)),
	on(iam, http.MethodDelete, "v1/Keys/{}", "DeleteKey", with((*call).apiKey, deleteKey)),

	on(eventStreams, http.MethodGet, "v1/Sinks", "ListSink", listSinks),
	on(eventStreams, http.MethodPost, "v1/Sinks", "CreateSink", createSink),
	on(eventStreams, http.MethodGet, "v1/Sinks/{}", "FetchSink", shown((*call).sink, (*call).sinkJSON)),
	on(eventStreams, http.MethodPost, "v1/Sinks/{}", "UpdateSink", with((*call).sink, updateSink)),
	on(eventStreams, http.MethodDelete, "v1/Sinks/{}", "DeleteSink", with((*call).sink, deleteSink)),
	on(eventStreams, http.MethodGet, "v1/Subscriptions", "ListSubscription", listSubscriptions),
	on(eventStreams, http.MethodPost, "v1/Subscriptions", "CreateSubscription", createSubscription),
	on(eventStreams, http.MethodGet, "v1/Subscriptions/{}", "FetchSubscription", shown((*call).subscription, (*call).subscriptionJSON)),
	on(eventStreams, http.MethodPost, "v1/Subscriptions/{}", "UpdateSubscription", with((*call).subscription, updateSubscription)),
	on(eventStreams, http.MethodDelete, "v1/Subscriptions/{}", "DeleteSubscription", with((*call).subscription, deleteSubscription)),
	on(eventStreams, http.MethodGet, "v1/Subscriptions/{}/SubscribedEvents", "ListSubscribedEvent", with((*call).subscription, listSubscribedEvents)),
	on(eventStreams, http.MethodPost, "v1/Subscriptions/{}/SubscribedEvents", "CreateSubscribedEvent", with((*call).subscription, createSubscribedEvent)),
	on(eventStreams, http.MethodGet, "v1/Subscriptions/{}/SubscribedEvents/{}", "FetchSubscribedEvent", shown((*call).subscribedEvent, (*call).subscribedEventJSON)),
	on(eventStreams, http.MethodPost, "v1/Subscriptions/{}/SubscribedEvents/{}", "UpdateSubscribedEvent", with((*call).subscribedEvent, updateSubscribedEvent)),
	on(eventStreams, http.MethodDelete, "v1/Subscriptions/{}/SubscribedEvents/{}", "DeleteSubscribedEvent", with((*call).subscribedEvent, deleteSubscribedEvent)),
}

func on(product, method, path, name string, run func(*call) (reply, error)) route {
	return route{product: product, method: method, path: strings.Split(path, "/"), name: name, run: run}
}

func (r route) forDevices() route { r.device = true; return r }

// with does something to what the path names, once it is found.
func with[T any](find func(*call) (*T, error), do func(*call, *T) (reply, error)) func(*call) (reply, error) {
	return func(c *call) (reply, error) {
		named, err := find(c)
		if err != nil {
			return reply{}, err
		}
		return do(c, named)
	}
}

// shown answers with what the path names.
func shown[T, J any](find func(*call) (*T, error), show func(*call, *T) J) func(*call) (reply, error) {
	return with(find, func(c *call, named *T) (reply, error) { return ok(show(c, named)), nil })
}
