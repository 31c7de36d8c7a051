-- The simulator's world. Times are Unix milliseconds. Every listed table has an integer key that only grows, by which
-- pages are cut: rows added or removed between two pages move nothing.
CREATE TABLE world (
	id              INTEGER PRIMARY KEY CHECK (id = 1),
	seed            TEXT NOT NULL,
	counter         INTEGER NOT NULL DEFAULT 0,
	clock_running   INTEGER NOT NULL,
	clock_offset    INTEGER NOT NULL DEFAULT 0,
	clock_ran       INTEGER NOT NULL DEFAULT 0,
	clock_frozen_at INTEGER,
	settings        TEXT NOT NULL
);

CREATE TABLE accounts (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	auth_token    TEXT NOT NULL,
	friendly_name TEXT NOT NULL,
	owner_sid     TEXT NOT NULL,
	status        TEXT NOT NULL DEFAULT 'active',
	type          TEXT NOT NULL DEFAULT 'Full',
	test          INTEGER NOT NULL DEFAULT 0,
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);

CREATE TABLE api_keys (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	account_sid   TEXT NOT NULL,
	secret        TEXT NOT NULL,
	friendly_name TEXT NOT NULL,
	kind          TEXT NOT NULL,
	policy        TEXT,
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);

CREATE TABLE services (
	seq            INTEGER PRIMARY KEY AUTOINCREMENT,
	sid            TEXT NOT NULL UNIQUE,
	account_sid    TEXT NOT NULL,
	friendly_name  TEXT NOT NULL,
	apn_credential TEXT,
	fcm_credential TEXT,
	include_date   INTEGER NOT NULL DEFAULT 0,
	settings       TEXT NOT NULL,
	created        INTEGER NOT NULL,
	updated        INTEGER NOT NULL
);
CREATE INDEX services_by_account ON services (account_sid, seq);

CREATE TABLE entities (
	seq          INTEGER PRIMARY KEY AUTOINCREMENT,
	sid          TEXT NOT NULL,
	service_id   INTEGER NOT NULL,
	identity     TEXT NOT NULL,
	factor_day   INTEGER NOT NULL DEFAULT 0, -- the day that factors_made counts
	factors_made INTEGER NOT NULL DEFAULT 0,
	created      INTEGER NOT NULL,
	updated      INTEGER NOT NULL
);
CREATE UNIQUE INDEX entities_by_identity ON entities (service_id, identity);
CREATE INDEX entities_by_service ON entities (service_id, seq);

CREATE TABLE factors (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL,
	entity_id     INTEGER NOT NULL,
	friendly_name TEXT NOT NULL,
	status        TEXT NOT NULL,
	type          TEXT NOT NULL,
	credential    TEXT NOT NULL, -- config.credential_sid, the kid of the device's tokens
	public_key    TEXT,          -- NULL for a generated factor, whose key derives from its SID
	secret        TEXT,          -- of a TOTP factor
	platform      TEXT,
	token         TEXT,
	app_id        TEXT,
	sdk_version   TEXT,
	totp          TEXT,
	metadata      TEXT,
	attempts      INTEGER NOT NULL DEFAULT 0, -- wrong TOTP codes
	token_dead    INTEGER NOT NULL DEFAULT 0, -- the provider refused it for good: no further push is tried
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);
CREATE UNIQUE INDEX factors_by_sid ON factors (sid);
CREATE UNIQUE INDEX factors_by_credential ON factors (credential);
CREATE INDEX factors_by_entity ON factors (entity_id, seq);

CREATE TABLE challenges (
	seq            INTEGER PRIMARY KEY AUTOINCREMENT,
	sid            TEXT NOT NULL UNIQUE,
	entity_id      INTEGER NOT NULL,
	factor_sid     TEXT NOT NULL,
	factor_type    TEXT NOT NULL,
	status         TEXT NOT NULL, -- an unanswered challenge stays 'pending' here; expiry is a matter of the clock
	details        TEXT NOT NULL,
	hidden_details TEXT,
	metadata       TEXT,
	notifications  INTEGER NOT NULL DEFAULT 0,
	created        INTEGER NOT NULL,
	updated        INTEGER NOT NULL,
	expires        INTEGER NOT NULL,
	responded      INTEGER
);
CREATE INDEX challenges_by_entity ON challenges (entity_id, seq);
CREATE INDEX challenges_by_factor ON challenges (factor_sid, seq);
CREATE INDEX challenges_answered ON challenges (responded) WHERE responded IS NOT NULL;

CREATE TABLE access_tokens (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	service_id    INTEGER NOT NULL,
	identity      TEXT NOT NULL,
	friendly_name TEXT,
	token         TEXT NOT NULL UNIQUE,
	ttl           INTEGER NOT NULL,
	created       INTEGER NOT NULL
);

CREATE TABLE webhooks (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	service_id    INTEGER NOT NULL,
	friendly_name TEXT NOT NULL,
	event_types   TEXT NOT NULL,
	status        TEXT NOT NULL,
	version       TEXT NOT NULL,
	url           TEXT NOT NULL,
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);
CREATE INDEX webhooks_by_service ON webhooks (service_id, seq);

CREATE TABLE credentials (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	account_sid   TEXT NOT NULL,
	friendly_name TEXT NOT NULL,
	type          TEXT NOT NULL,
	sandbox       TEXT,
	contents      TEXT NOT NULL, -- what Twilio never shows: expiry, topic, project, kind of key
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);
CREATE INDEX credentials_by_account ON credentials (account_sid, seq);

CREATE TABLE alerts (
	seq              INTEGER PRIMARY KEY AUTOINCREMENT,
	ord              INTEGER NOT NULL UNIQUE, -- created in milliseconds, then a running number
	sid              TEXT NOT NULL UNIQUE,
	account_sid      TEXT NOT NULL,
	level            TEXT NOT NULL,
	code             TEXT NOT NULL,
	text             TEXT NOT NULL,
	resource_sid     TEXT,
	service_sid      TEXT,
	request_method   TEXT,
	request_url      TEXT,
	request_vars     TEXT,
	request_headers  TEXT,
	response_headers TEXT,
	response_body    TEXT,
	created          INTEGER NOT NULL, -- when it arrives; in the future for a late one
	generated        INTEGER NOT NULL
);
CREATE INDEX alerts_by_account ON alerts (account_sid, ord);

CREATE TABLE events (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	account_sid   TEXT NOT NULL,
	actor_sid     TEXT NOT NULL,
	actor_type    TEXT NOT NULL,
	type          TEXT NOT NULL,
	resource_sid  TEXT NOT NULL,
	resource_type TEXT NOT NULL,
	data          TEXT,
	source        TEXT NOT NULL,
	source_ip     TEXT NOT NULL,
	at            INTEGER NOT NULL
);
CREATE INDEX events_by_account ON events (account_sid, seq);

CREATE TABLE sinks (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	sid           TEXT NOT NULL UNIQUE,
	account_sid   TEXT NOT NULL,
	description   TEXT NOT NULL,
	type          TEXT NOT NULL,
	configuration TEXT NOT NULL,
	status        TEXT NOT NULL,
	created       INTEGER NOT NULL,
	updated       INTEGER NOT NULL
);

CREATE TABLE subscriptions (
	seq         INTEGER PRIMARY KEY AUTOINCREMENT,
	sid         TEXT NOT NULL UNIQUE,
	account_sid TEXT NOT NULL,
	description TEXT NOT NULL,
	sink_sid    TEXT NOT NULL,
	created     INTEGER NOT NULL,
	updated     INTEGER NOT NULL
);

CREATE TABLE subscribed_events (
	seq              INTEGER PRIMARY KEY AUTOINCREMENT,
	subscription_sid TEXT NOT NULL,
	type             TEXT NOT NULL,
	schema_version   INTEGER NOT NULL,
	UNIQUE (subscription_sid, type)
);

-- The simulated phones. A factor without a row is a phone in perfect order.
CREATE TABLE devices (
	factor_sid  TEXT PRIMARY KEY,
	uninstalled INTEGER, -- since when
	state       TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE pushes (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	service_sid   TEXT NOT NULL,
	identity      TEXT NOT NULL,
	factor_sid    TEXT NOT NULL,
	challenge_sid TEXT NOT NULL,
	notification  TEXT NOT NULL,
	platform      TEXT NOT NULL,
	token         TEXT NOT NULL,
	outcome       TEXT NOT NULL,
	code          INTEGER NOT NULL DEFAULT 0,
	data          TEXT NOT NULL,
	at            INTEGER NOT NULL
);
CREATE INDEX pushes_by_factor ON pushes (factor_sid, seq);

CREATE TABLE faults (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	rule    TEXT NOT NULL,
	matched INTEGER NOT NULL DEFAULT 0,
	fired   INTEGER NOT NULL DEFAULT 0
);

-- Webhook calls that are due, kept until they were answered or given up.
CREATE TABLE outbox (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	due     INTEGER NOT NULL,
	url     TEXT NOT NULL,
	body    TEXT NOT NULL,
	service_sid TEXT,
	account_sid TEXT NOT NULL
);
