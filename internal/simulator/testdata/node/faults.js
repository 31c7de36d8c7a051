// How Twilio's Node helper library, unchanged, meets the faults that the test has put into the simulator: 429 to one list and
// twice to another, a page of HTML instead of an entity, and a connection that is reset before an entity is deleted.
'use strict';

const assert = require('assert');
const twilio = require('twilio');

const { TWILIO_ACCOUNT_SID: account, TWILIO_AUTH_TOKEN: token, SERVICE, IDENTITY } = process.env;
const entities = (options) => twilio(account, token, options).verify.v2.services(SERVICE).entities;

async function failure(promise) {
  try {
    await promise;
  } catch (err) {
    return err;
  }
  return assert.fail('should have failed');
}

(async () => {
  const limited = await failure(entities({})(IDENTITY).factors.list());
  assert.deepStrictEqual([limited.status, limited.code, limited.moreInfo], [429, 20429, 'https://www.twilio.com/docs/errors/20429']);

  const { version } = require('twilio/package.json');
  const patient = entities({ autoRetry: true, maxRetries: 3 })(IDENTITY).challenges;
  if (version.startsWith('3.')) { // which cannot wait after a 429
    for (let n = 0; n < 2; n++) assert.strictEqual((await failure(patient.list())).status, 429);
  }
  assert.ok((await patient.list()).length > 0); // after two refusals

  const broken = await failure(entities({})(IDENTITY).fetch());
  assert.ok(broken.status === 503 || broken instanceof SyntaxError, broken.stack); // older versions trip over HTML
  assert.strictEqual(broken.code, undefined);

  const reset = await failure(entities({})(IDENTITY).remove());
  assert.strictEqual(reset.code, 'ECONNRESET', reset.stack);
  assert.strictEqual(await entities({})(IDENTITY).remove(), true); // it was reset before it was processed
  console.log(`twilio ${version}: all as with Twilio`);
})().catch((err) => {
  console.error(err.stack);
  process.exit(1);
});
