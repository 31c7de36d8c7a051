"""A backend with Twilio Verify Push through Twilio's Python helper library, which is used unchanged.

It ends with status 0 only when every step went as with Twilio.
"""
import base64
import datetime
import json
import os
import subprocess
import tempfile

import twilio
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

ACCOUNT, TOKEN = os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"]
IDENTITY = "user-5001-python"
trusting = TwilioHttpClient()
trusting.session.verify = os.environ["REQUESTS_CA_BUNDLE"]  # which the library before 7.9.1 does not read by itself


def client(user, password):
    return Client(user, password, ACCOUNT, http_client=trusting)


backend = client(ACCOUNT, TOKEN)


def refused(status, code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except TwilioRestException as err:
        assert (err.status, err.code) == (status, code), err
        assert err.msg
        return
    raise AssertionError("should have been refused with %d, %d" % (status, code))


def openssl(*args, stdin=b""):
    return subprocess.run(["openssl", *args], input=stdin, check=True, capture_output=True).stdout


credential = backend.notify.v1.credentials.create(type="fcm", friendly_name="Android", secret=json.dumps({"project_id": "bank-example"}))
assert credential.sandbox is None and credential.url.startswith("https://notify.twilio.com/"), credential.url
service_sid = backend.verify.v2.services.create(friendly_name="Example Bank", push_fcm_credential_sid=credential.sid).sid
service = backend.verify.v2.services(service_sid)
assert service.fetch().push == {"include_date": False, "apn_credential_sid": None, "fcm_credential_sid": credential.sid}
assert service_sid in [s.sid for s in backend.verify.v2.services.list(page_size=1)]

for n in range(5):
    service.entities.create(identity="user-5002-page-%d" % n)
assert [e.identity[-1] for e in service.entities.stream(page_size=2)] == list("01234")
page = service.entities.page(page_size=2)
assert [e.identity[-1] for e in page.next_page().previous_page()] == ["0", "1"]
refused(409, 60301, service.entities.create, identity="user-5002-page-0")

access = service.access_tokens.create(identity=IDENTITY, factor_type="push")
assert access.entity_identity == IDENTITY and isinstance(access.date_created, datetime.datetime)
with tempfile.TemporaryDirectory() as folder:
    key = os.path.join(folder, "key.pem")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    public = base64.b64encode(openssl("pkey", "-in", key, "-pubout", "-outform", "DER")).decode()
    phone = client("token", access.token)
    factor = phone.verify.v2.services(service_sid).entities(IDENTITY).new_factors.create(
        friendly_name="Phone", factor_type="push", binding_alg="ES256", binding_public_key=public, config_app_id="com.example.app",
        config_notification_platform="fcm", config_notification_token="a1" * 32, config_sdk_version="0.9.0", metadata={"os": "Android"})
    assert factor.status == "unverified" and factor.metadata == {"os": "Android"}
    entity = service.entities(IDENTITY)
    refused(403, 60318, entity.challenges.create, factor_sid=factor.sid, details_message="Sign in?")
    proof = base64.b64encode(openssl("dgst", "-sha256", "-sign", key, stdin=factor.sid.encode())).decode()
    assert entity.factors(factor.sid).update(auth_payload=proof).status == "verified"
assert [f.sid for f in entity.factors.list(limit=20)] == [factor.sid]

challenge = entity.challenges.create(
    factor_sid=factor.sid, details_message="Sign in?", details_fields=[{"label": "Location", "value": "Lyon; 2 & 3"}, {"label": "Device", "value": "Firefox"}],
    hidden_details={"ip": "192.0.2.1"})
assert challenge.details["fields"][0] == {"label": "Location", "value": "Lyon; 2 & 3"} and len(challenge.details["fields"]) == 2
assert challenge.hidden_details == {"ip": "192.0.2.1"}
assert challenge.expiration_date - challenge.date_created == datetime.timedelta(minutes=5)
late = entity.challenges.create(factor_sid=factor.sid, details_message="Sign in?", expiration_date=challenge.date_created + datetime.timedelta(minutes=45))
assert late.expiration_date - challenge.date_created == datetime.timedelta(minutes=45)
for _ in range(3):
    assert entity.challenges(challenge.sid).notifications.create(ttl=0).priority == "high"
refused(429, 60309, entity.challenges(challenge.sid).notifications.create)
assert [c.sid for c in entity.challenges.list(order="desc", status="pending", factor_sid=factor.sid, page_size=1)] == [late.sid, challenge.sid]
refused(404, 20404, entity.challenges("YC" + "0" * 32).fetch)

hook = service.webhooks.create(friendly_name="backend", event_types=["challenge.approved", "challenge.denied"], webhook_url="https://hooks.bank.example/v", status="disabled")
assert hook.event_types == ["challenge.approved", "challenge.denied"]
assert service.webhooks(hook.sid).delete()

assert backend.verify.v2.forms("form-push").fetch().form_type == "form-push"
service.update(push_fcm_credential_sid="CR" + "0" * 32)
entity.challenges.create(factor_sid=factor.sid, details_message="Sign in?")
alerts = backend.monitor.v1.alerts.list(log_level="error", start_date=challenge.date_created.date(), page_size=2)
assert alerts and isinstance(alerts[0].date_generated, datetime.datetime) and backend.monitor.v1.alerts(alerts[0].sid).fetch().alert_text
assert backend.api.accounts(ACCOUNT).fetch().status == "active"
assert len(backend.usage.records.list(category="verify-push")) == 1
refused(401, 20003, client(ACCOUNT, "f" * 32).verify.v2.services(service_sid).fetch)

assert entity.factors(factor.sid).delete() and entity.delete() and service.delete()
refused(404, 20404, service.fetch)
assert backend.notify.v1.credentials(credential.sid).delete()
print("twilio-python %s: all as with Twilio" % twilio.__version__)
