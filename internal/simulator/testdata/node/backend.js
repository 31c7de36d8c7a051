// A backend with Twilio Verify Push and the phone of one user, both through Twilio's Node helper library, which is found
// as the environment says (NODE_PATH) and is used unchanged. It ends with status 0 only when every step went as with
// Twilio; each line on standard output is one step.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const twilio = require('twilio');

const { TWILIO_ACCOUNT_SID: ACCOUNT, TWILIO_AUTH_TOKEN: TOKEN } = process.env;
const identity = 'user-4001-' + crypto.randomBytes(4).toString('hex');
const backend = twilio(ACCOUNT, TOKEN);

// another is a client with other credentials for the same account.
const another = (user, password) => twilio(user, password, { accountSid: ACCOUNT });

// answerTo gives the reply to a client's last call as it was on the wire.
function answerTo(client) {
  const { statusCode, headers, body } = client.httpClient.lastResponse;
  return { status: statusCode, headers, body: typeof body === 'string' && body !== '' ? JSON.parse(body) : body };
}

async function refused(promise, status, code) {
  try {
    await promise;
  } catch (err) {
    assert.deepStrictEqual([err.status, err.code], [status, code], err.message);
    assert.strictEqual(err.moreInfo, `https://www.twilio.com/docs/errors/${code}`);
    assert.ok(err.message.length > 0);
    return err;
  }
  assert.fail(`should have been refused with ${status}, ${code}`);
}

const hex32 = /^[0-9a-f]{32}$/;
function isSid(prefix, sid) {
  assert.ok(sid.startsWith(prefix) && hex32.test(sid.slice(2)), sid);
  return sid;
}

function isDate(value) {
  assert.ok(value instanceof Date && !Number.isNaN(value.getTime()), `${value} was not read as a date`);
  return value;
}

// isOwn checks that a link leads back to the host that the client asked.
function isOwn(link, product) {
  assert.ok(link.startsWith(`https://${product}.twilio.com/`), link);
}

// Phone has a key of its own, and the clock that the server's Date header gives it, as Twilio's SDKs do.
class Phone {
  constructor() {
    const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = pair.privateKey;
    this.publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    this.correction = 0;
  }

  now() { return Math.floor(Date.now() / 1000) + this.correction; }

  jwt(header, claims) {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode({ ...header, typ: 'JWT', alg: 'ES256' })}.${encode(claims)}`;
    const signature = crypto.sign('sha256', Buffer.from(signed), { key: this.key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  // client makes a token for one call.
  client() {
    const token = this.jwt({ cty: 'twilio-pba;v=1', kid: this.kid }, { sub: ACCOUNT, nbf: this.now(), exp: this.now() + 600 });
    return another('token', token);
  }

  // call does something with a fresh token, and once more with a corrected clock after a 401.
  async call(service, work) {
    const at = (client) => work(client.verify.v2.services(service).entities(identity));
    let client = this.client();
    try {
      return { result: await at(client), answer: answerTo(client) };
    } catch (err) {
      if (err.status !== 401) throw err;
      this.correction = Math.floor(Date.parse(answerTo(client).headers.date) / 1000) - Math.floor(Date.now() / 1000);
      client = this.client();
      return { result: await at(client), answer: answerTo(client) };
    }
  }

  async enrol(service, accessToken, platform) {
    const client = another('token', accessToken);
    const params = {
      friendlyName: "Bob's iPhone; work", factorType: 'push', 'binding.alg': 'ES256', 'binding.publicKey': this.publicKey,
      'config.appId': 'com.example.app', 'config.notificationPlatform': platform, 'config.sdkVersion': '3.0.2',
      metadata: { app_version: '8.5.0' },
    };
    if (platform !== 'none') params['config.notificationToken'] = 'a1'.repeat(32);
    const factor = await client.verify.v2.services(service).entities(identity).newFactors.create(params);
    this.kid = isSid('CR', factor.config.credential_sid);
    this.sid = isSid('YF', factor.sid);
    return factor;
  }

  async prove(service) {
    const authPayload = crypto.sign('sha256', Buffer.from(this.sid), this.key).toString('base64');
    return (await this.call(service, (entity) => entity.factors(this.sid).update({ authPayload }))).result;
  }

  async answer(service, challenge, status) {
    const fetched = await this.call(service, (entity) => entity.challenges(challenge).fetch());
    const names = fetched.answer.headers['twilio-verify-signature-fields'].split(',');
    const claims = Object.fromEntries(names.map((name) => [name, fetched.answer.body[name]]));
    assert.ok(!Object.values(claims).includes(undefined), `of ${names} some are not in the challenge`);
    const authPayload = this.jwt({}, { ...claims, status });
    await this.call(service, (entity) => entity.challenges(challenge).update({ authPayload }));
  }
}

const steps = {
  async 'push credentials'(world) {
    const { notify } = backend;
    world.fcm = await notify.v1.credentials.create({ type: 'fcm', friendlyName: 'Android', secret: JSON.stringify({ type: 'service_account', project_id: 'bank-example' }) });
    isSid('CR', world.fcm.sid);
    isOwn(world.fcm.url, 'notify');
    assert.strictEqual(world.fcm.sandbox, null);
    await refused(notify.v1.credentials.create({ type: 'fcm' }), 400, 20001);
    const renamed = await notify.v1.credentials(world.fcm.sid).update({ friendlyName: 'Android, renewed' });
    assert.strictEqual(renamed.friendlyName, 'Android, renewed');
    const seen = await backend.conversations.v1.credentials(world.fcm.sid).fetch();
    assert.strictEqual(seen.type, 'fcm');
    isOwn(seen.url, 'conversations');
    const other = await backend.conversations.v1.credentials.create({ type: 'fcm', secret: '{"project_id":"bank-example"}' });
    const sids = (await notify.v1.credentials.list()).map((credential) => credential.sid);
    assert.ok(sids.includes(world.fcm.sid) && sids.includes(other.sid));
    assert.strictEqual(await backend.conversations.v1.credentials(other.sid).remove(), true);
    await refused(notify.v1.credentials(other.sid).fetch(), 404, 20404);
    assert.strictEqual((await backend.conversations.v1.credentials.list({ pageSize: 2, limit: 3 })).length, Math.min(3, sids.length - 1));
  },

  async services(world) {
    const { services } = backend.verify.v2;
    const made = await services.create({ friendlyName: 'Example Bank', 'push.includeDate': true });
    world.service = isSid('VA', made.sid);
    isOwn(made.url, 'verify');
    isOwn(made.links.entities, 'verify');
    assert.deepStrictEqual(made.push, { include_date: true, apn_credential_sid: null, fcm_credential_sid: null });
    const changed = await services(made.sid).update({ 'push.fcmCredentialSid': world.fcm.sid, 'push.includeDate': false });
    assert.deepStrictEqual(changed.push, { include_date: false, apn_credential_sid: null, fcm_credential_sid: world.fcm.sid });
    assert.deepStrictEqual((await services(made.sid).fetch()).push, changed.push);
    const extra = [];
    for (const n of ['two', 'three']) extra.push((await services.create({ friendlyName: `Example Bank ${n}` })).sid);
    const listed = (await services.list({ pageSize: 1 })).map((service) => service.sid);
    assert.strictEqual(new Set(listed).size, listed.length);
    for (const sid of [made.sid, ...extra]) assert.ok(listed.includes(sid));
    for (const sid of extra) assert.strictEqual(await services(sid).remove(), true);
    await refused(services(extra[0]).fetch(), 404, 20404);
    await refused(services.create({ friendlyName: '' }), 400, 60200);
  },

  async entities({ service }) {
    const { entities } = backend.verify.v2.services(service);
    const made = await entities.create({ identity });
    isSid('YE', made.sid);
    isDate(made.dateCreated);
    isOwn(made.links.new_factors, 'verify');
    await refused(entities.create({ identity }), 409, 60301);
    for (let n = 0; n < 7; n++) await entities.create({ identity: `user-4002-page-${n}` });
    const all = await entities.list({ pageSize: 3 });
    assert.deepStrictEqual(all.map((entity) => entity.identity), [identity, 0, 1, 2, 3, 4, 5, 6].map((n) => (n === identity ? n : `user-4002-page-${n}`)));
    assert.strictEqual((await entities.list({ limit: 5 })).length, 5);

    const first = await entities.page({ pageSize: 3 });
    assert.strictEqual(first.previousPageUrl, undefined);
    const second = await first.nextPage();
    const back = await second.previousPage();
    assert.deepStrictEqual(back.instances.map((entity) => entity.identity), first.instances.map((entity) => entity.identity));
    const third = await entities.getPage((await second.nextPage()) && second.nextPageUrl);
    assert.strictEqual(third.instances.length, 2);
    assert.strictEqual(third.nextPageUrl, undefined);

    let streamed = 0;
    await new Promise((resolve, reject) => entities.each({ pageSize: 2, callback: () => { streamed++; }, done: (err) => (err ? reject(err) : resolve()) }));
    assert.strictEqual(streamed, 8);
    assert.strictEqual(await entities('user-4002-page-0').remove(), true);
    await refused(entities('user-4002-page-0').fetch(), 404, 20404);
    await refused(entities('user-4002-page-0').remove(), 404, 20404);
    assert.strictEqual((await entities(identity).fetch()).sid, made.sid);
  },

  async enrolment(world) {
    const service = backend.verify.v2.services(world.service);
    const access = await service.accessTokens.create({ identity, factorType: 'push', factorFriendlyName: 'Phone', ttl: 300 });
    isSid('YK', access.sid);
    assert.deepStrictEqual([access.entityIdentity, access.ttl, access.token.split('.').length], [identity, 300, 5]);
    assert.strictEqual((await service.accessTokens(access.sid).fetch()).token, access.token);
    await refused(service.accessTokens.create({ identity, factorType: 'push', ttl: 59 }), 400, 60305);

    world.phone = new Phone();
    const made = await world.phone.enrol(world.service, access.token, 'fcm');
    assert.deepStrictEqual([made.status, made.binding.alg, made.identity, made.metadata], ['unverified', 'ES256', identity, { app_version: '8.5.0' }]);
    isDate(made.dateCreated);
    const factors = service.entities(identity).factors;
    await refused(service.entities(identity).challenges.create({ factorSid: made.sid, 'details.message': 'Sign in?' }), 403, 60318);
    assert.strictEqual((await world.phone.prove(world.service)).status, 'verified');
    const fetched = await factors(made.sid).fetch();
    assert.deepStrictEqual([fetched.status, fetched.factorType, fetched.friendlyName, fetched.binding], ['verified', 'push', "Bob's iPhone; work", undefined]);
    assert.strictEqual((await factors(made.sid).update({ friendlyName: 'Phone of Bob' })).friendlyName, 'Phone of Bob');

    const spare = new Phone();
    await spare.enrol(world.service, access.token, 'none');
    await spare.prove(world.service);
    assert.deepStrictEqual((await factors.list({ limit: 20 })).map((factor) => factor.sid), [made.sid, spare.sid]);
    assert.deepStrictEqual((await factors.list({ pageSize: 1 })).map((factor) => factor.config.notification_platform), ['fcm', 'none']);
    const silent = await service.entities(identity).challenges.create({ factorSid: spare.sid, 'details.message': 'Sign in?' });
    await refused(service.entities(identity).challenges(silent.sid).notifications.create(), 400, 60307);
    assert.strictEqual(await factors(spare.sid).remove(), true);
    await refused(factors(spare.sid).fetch(), 404, 20404);
  },

  async challenges(world) {
    const { challenges } = backend.verify.v2.services(world.service).entities(identity);
    const base = { factorSid: world.phone.sid, 'details.message': 'Sign in to Example Bank?' };
    const plain = await challenges.create(base);
    isSid('YC', plain.sid);
    assert.deepStrictEqual([plain.status, plain.details, plain.hiddenDetails, plain.dateResponded, plain.respondedReason],
      ['pending', { message: base['details.message'], fields: [] }, null, null, 'none']);
    assert.strictEqual(isDate(plain.expirationDate) - isDate(plain.dateCreated), 5 * 60 * 1000);
    isOwn(plain.links.notifications, 'verify');

    // Twilio's function templates send null fields, which some versions put on the wire as an empty parameter.
    for (const none of [null, undefined, []]) {
      const bare = await challenges.create({ ...base, 'details.fields': none, hiddenDetails: undefined });
      assert.deepStrictEqual([bare.details.fields, bare.hiddenDetails], [[], null]);
    }
    const fields = [{ label: 'Location', value: 'Lyon, FR; 2 & 3 = 5+1' }, { label: 'Gerät', value: 'Ünïcode 🔐' }];
    const expirationDate = new Date(plain.dateCreated.getTime() + 30 * 60 * 1000);
    const full = await challenges.create({ ...base, 'details.fields': fields, hiddenDetails: { ip: '192.0.2.7', note: 'a&b=c' }, expirationDate });
    assert.deepStrictEqual([full.details.fields, full.hiddenDetails], [fields, { ip: '192.0.2.7', note: 'a&b=c' }]);
    assert.strictEqual(full.expirationDate.getTime(), expirationDate.getTime());
    await refused(challenges.create({ ...base, expirationDate: new Date(plain.dateCreated.getTime() + 3 * 3600 * 1000) }), 400, 60306);
    await refused(challenges.create({ 'details.message': 'x', factorSid: 'YF' + '0'.repeat(32) }), 404, 20404);
    await refused(challenges.create({ ...base, 'details.message': 'x'.repeat(257) }), 400, 60368);

    for (let n = 1; n <= 3; n++) {
      const notification = await challenges(plain.sid).notifications.create({ ttl: 150 });
      isSid('NT', notification.sid);
      assert.deepStrictEqual([notification.challengeSid, notification.priority, notification.ttl], [plain.sid, 'high', 150]);
    }
    await refused(challenges(plain.sid).notifications.create(), 429, 60309);

    await world.phone.answer(world.service, plain.sid, 'approved');
    await world.phone.answer(world.service, full.sid, 'denied');
    const approved = await challenges(plain.sid).fetch();
    assert.strictEqual(approved.status, 'approved');
    isDate(approved.dateResponded);
    assert.strictEqual((await challenges(full.sid).fetch()).status, 'denied');
    await refused(challenges(full.sid).notifications.create(), 403, 60322);
    await refused(challenges(full.sid).update({ authPayload: 'a.b.c' }), 403, 60322);

    const asc = await challenges.list({ pageSize: 2 });
    const desc = await challenges.list({ pageSize: 2, order: 'desc', factorSid: world.phone.sid });
    assert.ok(asc.length >= 4);
    assert.deepStrictEqual(desc.map((c) => c.sid), asc.filter((c) => c.factorSid === world.phone.sid).map((c) => c.sid).reverse());
    assert.deepStrictEqual((await challenges.list({ status: 'approved', order: 'asc' })).map((c) => c.sid), [plain.sid]);
    const page = await challenges.page({ status: 'pending', factorSid: world.phone.sid, order: 'desc', pageSize: 1 });
    for (const name of ['Status=pending', `FactorSid=${world.phone.sid}`, 'Order=desc', 'PageSize=1']) assert.ok(page.nextPageUrl.includes(name), page.nextPageUrl);
    isOwn(page.nextPageUrl, 'verify');
    await refused(challenges.list({ status: 'nonsense' }), 400, 60306);
  },

  async webhooks({ service }) {
    const { webhooks } = backend.verify.v2.services(service);
    const made = await webhooks.create({ friendlyName: 'backend', eventTypes: ['factor.created', 'challenge.approved'], webhookUrl: 'https://hooks.bank.example/verify', status: 'disabled' });
    isSid('YW', made.sid);
    assert.deepStrictEqual([made.eventTypes, made.status, made.version, made.webhookMethod], [['factor.created', 'challenge.approved'], 'disabled', 'v2', 'POST']);
    assert.deepStrictEqual((await webhooks(made.sid).update({ eventTypes: ['*'] })).eventTypes, ['*']);
    assert.deepStrictEqual((await webhooks.list()).map((hook) => hook.sid), [made.sid]);
    assert.strictEqual((await webhooks(made.sid).fetch()).webhookUrl, 'https://hooks.bank.example/verify');
    await refused(webhooks.create({ friendlyName: 'x', eventTypes: ['entity.created'], webhookUrl: 'https://hooks.bank.example' }), 400, 60306);
    assert.strictEqual(await webhooks(made.sid).remove(), true);
    assert.deepStrictEqual(await webhooks.list(), []);
  },

  async forms() {
    const form = await backend.verify.v2.forms('form-push').fetch();
    assert.strictEqual(form.formType, 'form-push');
    assert.ok(form.forms.create_factor && form.forms.verify_factor && form.forms.create_challenge);
  },

  // A Service without a credential for Android: nothing in the reply, an alert later.
  async alerts(world) {
    const service = backend.verify.v2.services(world.service);
    await service.update({ 'push.fcmCredentialSid': 'CR' + '0'.repeat(32) });
    const challenge = await service.entities(identity).challenges.create({ factorSid: world.phone.sid, 'details.message': 'Sign in?' });
    const day = (date) => date.toISOString().slice(0, 10);
    const { alerts } = backend.monitor.v1;
    const found = await alerts.list({ logLevel: 'error', startDate: new Date(challenge.dateCreated.getTime() - 60000), endDate: new Date(challenge.dateCreated.getTime() + 60000), pageSize: 2 });
    assert.ok(found.length > 0, `no alert around ${challenge.dateCreated.toISOString()}`);
    for (const alert of found) {
      isSid('NO', alert.sid);
      isOwn(alert.url, 'monitor');
      assert.strictEqual(day(isDate(alert.dateGenerated)), day(challenge.dateCreated));
      assert.strictEqual(typeof alert.errorCode, 'string');
      assert.ok(alert.moreInfo.endsWith(alert.errorCode));
    }
    const one = await alerts(found[0].sid).fetch();
    assert.strictEqual(one.alertText, found[0].alertText);
    await refused(alerts('NO' + '0'.repeat(32)).fetch(), 404, 20404);
    const everything = await alerts.list({ pageSize: 5 });
    assert.ok(everything.length >= found.length);
    const ordered = everything.map((alert) => alert.dateCreated.getTime());
    assert.deepStrictEqual(ordered, [...ordered].sort((a, b) => b - a));
  },

  async events() {
    const { events } = backend.monitor.v1;
    for (const event of await events.list({ pageSize: 2 })) {
      isSid('AE', event.sid);
      isDate(event.eventDate);
      assert.strictEqual((await events(event.sid).fetch()).eventType, event.eventType);
    }
  },

  async account() {
    const account = await backend.api.v2010.accounts(ACCOUNT).fetch();
    assert.deepStrictEqual([account.sid, account.status, account.ownerAccountSid], [ACCOUNT, 'active', ACCOUNT]);
    isDate(account.dateCreated);
    assert.deepStrictEqual((await backend.api.v2010.accounts.list({ limit: 5 })).map((a) => a.sid), [ACCOUNT]);
    const usage = await backend.api.v2010.accounts(ACCOUNT).usage.records.list({ category: 'verify-push', limit: 20 });
    assert.strictEqual(usage.length, 1);
    assert.strictEqual(typeof usage[0].price, 'number');
    assert.ok(Number(usage[0].count) >= 2, usage[0].count);
    assert.ok((await backend.usage.records.list({ limit: 3 })).length >= 1);
  },

  async 'keys and sinks'() {
    const keys = backend.iam && backend.iam.v1 && backend.iam.v1.newApiKey ? backend.iam.v1 : null;
    if (keys) {
      const made = await keys.newApiKey.create({ accountSid: ACCOUNT, friendlyName: 'ci' });
      assert.strictEqual((await keys.apiKey(made.sid).fetch()).friendlyName, 'ci');
      assert.ok((await keys.getApiKeys.list({ accountSid: ACCOUNT })).some((key) => key.sid === made.sid));
      const byKey = another(made.sid, made.secret);
      assert.ok((await byKey.verify.v2.services.list({ limit: 1 })).length === 1);
      assert.strictEqual(await keys.apiKey(made.sid).remove(), true);
      await refused(byKey.verify.v2.services.list(), 401, 20003);
    }
    const { sinks, subscriptions } = backend.events.v1;
    const sink = await sinks.create({ description: 'errors', sinkType: 'webhook', sinkConfiguration: { destination: 'https://hooks.bank.example', method: 'POST', batch_events: false } });
    assert.strictEqual(sink.sinkConfiguration.destination, 'https://hooks.bank.example');
    const subscription = await subscriptions.create({ description: 'errors', sinkSid: sink.sid, types: [{ type: 'com.twilio.error-logs.error.logged', schema_version: 2 }] });
    assert.ok((await subscriptions.list({ sinkSid: sink.sid })).some((s) => s.sid === subscription.sid));
    assert.deepStrictEqual((await subscriptions(subscription.sid).subscribedEvents.list()).map((e) => e.type), ['com.twilio.error-logs.error.logged']);
    assert.strictEqual(await subscriptions(subscription.sid).remove(), true);
    assert.strictEqual(await sinks(sink.sid).remove(), true);
  },

  async 'wrong credentials'({ service }) {
    await refused(twilio(ACCOUNT, 'f'.repeat(32)).verify.v2.services(service).fetch(), 401, 20003);
    await refused(another('SK' + '0'.repeat(32), 'nothing').verify.v2.services.list(), 401, 20003);
    await refused(another('token', 'a.b.c.d.e').verify.v2.services(service).entities(identity).factors.list(), 401, 20003);
  },

  async 'the end of a user'(world) {
    const service = backend.verify.v2.services(world.service);
    const { result } = await world.phone.call(world.service, (entity) => entity.factors(world.phone.sid).remove());
    assert.strictEqual(result, true);
    assert.strictEqual(await service.entities(identity).remove(), true);
    await refused(service.entities(identity).factors.list(), 404, 20404);
    assert.strictEqual(await service.remove(), true);
    assert.strictEqual(await backend.notify.v1.credentials(world.fcm.sid).remove(), true);
  },
};

(async () => {
  const world = {};
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(world);
    } catch (err) {
      console.error(`${name}: ${err.stack}`);
      process.exit(1);
    }
    console.log(`ok ${name}`);
  }
  console.log(`twilio ${require('twilio/package.json').version}: all as with Twilio`);
})();
