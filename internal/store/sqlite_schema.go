package store

// applicationID marks a database as ours: "vfyc" in ASCII, where SQLite keeps a program's number.
const applicationID = 0x76667963

// fileMigrations bring a file from one version to the next; the version is how many were run. One that was released is
// never changed, only followed by another.
var fileMigrations = []string{firstSchema, credentialFiles, rotations, credentialFilesUpdated, leaseTable, creations}

// In every table: times are microseconds since 1970, 0 when unknown; SIDs compare without regard to letter case, as their
// hexadecimal digits may have either.
const firstSchema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What was deleted from here. factor is the factor as last seen, as JSON, without its push token.
CREATE TABLE deletions (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	factor_sid  TEXT NOT NULL COLLATE NOCASE,
	identity    TEXT NOT NULL,
	factor      BLOB NOT NULL,
	token_hash  TEXT NOT NULL,
	by          TEXT NOT NULL,
	reason      TEXT NOT NULL,
	at          INTEGER NOT NULL,
	outcome     TEXT NOT NULL DEFAULT '',
	finished_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX deletions_factor ON deletions (factor_sid);
CREATE INDEX deletions_identity ON deletions (identity);

CREATE TABLE challenges (
	sid         TEXT PRIMARY KEY COLLATE NOCASE,
	service_sid TEXT NOT NULL COLLATE NOCASE,
	identity    TEXT NOT NULL,
	factor_sid  TEXT NOT NULL COLLATE NOCASE,
	action_id   TEXT NOT NULL,
	created     INTEGER NOT NULL,
	expires     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX challenges_identity ON challenges (identity, created);

-- Who creates the challenge of an action. challenge_sid is '' until it is known; owner is '' when the last claimer let go
-- without knowing whether its request reached Twilio.
CREATE TABLE claims (
	service_sid   TEXT NOT NULL COLLATE NOCASE,
	action_id     TEXT NOT NULL,
	factor_sid    TEXT NOT NULL COLLATE NOCASE,
	ticket        INTEGER NOT NULL,
	owner         TEXT NOT NULL,
	challenge_sid TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
	PRIMARY KEY (service_sid, action_id, factor_sid)
) WITHOUT ROWID;

CREATE TABLE resends (
	id               INTEGER PRIMARY KEY AUTOINCREMENT,
	challenge_sid    TEXT NOT NULL COLLATE NOCASE,
	at               INTEGER NOT NULL,
	outcome          TEXT NOT NULL,
	notification_sid TEXT NOT NULL DEFAULT '' COLLATE NOCASE
);
CREATE INDEX resends_challenge ON resends (challenge_sid);

CREATE TABLE receipts (
	challenge_sid TEXT NOT NULL COLLATE NOCASE,
	source        TEXT NOT NULL,
	at            INTEGER NOT NULL,
	PRIMARY KEY (challenge_sid, source)
) WITHOUT ROWID;

-- What commands have met, for shell completion and for finding the identity of a bare SID. sid is '' for the identity
-- itself.
CREATE TABLE seen (
	identity TEXT NOT NULL,
	sid      TEXT NOT NULL COLLATE NOCASE,
	at       INTEGER NOT NULL,
	PRIMARY KEY (identity, sid)
) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);
CREATE INDEX seen_sid ON seen (sid);

-- Debugger events. body is what arrived; the other columns only find it.
CREATE TABLE events (
	id             INTEGER PRIMARY KEY AUTOINCREMENT,
	key            TEXT NOT NULL UNIQUE,
	source         TEXT NOT NULL,
	received       INTEGER NOT NULL,
	at             INTEGER NOT NULL,
	body           BLOB NOT NULL,
	service_sid    TEXT NOT NULL COLLATE NOCASE,
	identity       TEXT NOT NULL,
	factor_sid     TEXT NOT NULL COLLATE NOCASE,
	challenge_sid  TEXT NOT NULL COLLATE NOCASE,
	credential_sid TEXT NOT NULL COLLATE NOCASE,
	code           INTEGER NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_received ON events (received);
CREATE INDEX events_identity ON events (identity, at) WHERE identity <> '';
CREATE INDEX events_factor ON events (factor_sid, at) WHERE factor_sid <> '';
CREATE INDEX events_challenge ON events (challenge_sid, at) WHERE challenge_sid <> '';

-- The times of which all events are here, by the source that gave them. Spans of one source never touch.
CREATE TABLE coverage (
	source     TEXT NOT NULL,
	from_time  INTEGER NOT NULL,
	until_time INTEGER NOT NULL,
	PRIMARY KEY (source, from_time)
) WITHOUT ROWID;

-- The index of one Service's entities and factors. Which Service stands in meta (index_service, index_account).
CREATE TABLE entities (
	identity     TEXT PRIMARY KEY,
	sid          TEXT NOT NULL COLLATE NOCASE,
	date_created INTEGER NOT NULL,
	date_updated INTEGER NOT NULL,
	read_at      INTEGER NOT NULL DEFAULT 0,
	listed_by    INTEGER NOT NULL DEFAULT 0,
	todo_for     INTEGER
) WITHOUT ROWID;
CREATE INDEX entities_todo ON entities (todo_for) WHERE todo_for IS NOT NULL;
CREATE INDEX entities_read ON entities (read_at);
CREATE INDEX entities_sid ON entities (sid);

CREATE TABLE factors (
	id             INTEGER PRIMARY KEY,
	sid            TEXT NOT NULL UNIQUE COLLATE NOCASE,
	identity       TEXT NOT NULL,
	entity_sid     TEXT NOT NULL COLLATE NOCASE,
	status         TEXT NOT NULL,
	factor_type    TEXT NOT NULL,
	platform       TEXT NOT NULL,
	app_id         TEXT NOT NULL,
	sdk_version    TEXT NOT NULL,
	friendly_name  TEXT NOT NULL,
	credential_sid TEXT NOT NULL COLLATE NOCASE,
	token_hash     TEXT NOT NULL,
	date_created   INTEGER NOT NULL,
	date_updated   INTEGER NOT NULL,
	read_at        INTEGER NOT NULL,
	metadata       TEXT NOT NULL -- JSON; declared keys have a column of their own besides
);
CREATE INDEX factors_identity ON factors (identity);
CREATE INDEX factors_token ON factors (token_hash) WHERE token_hash <> '';
CREATE INDEX factors_groups ON factors (platform, app_id, sdk_version, status, factor_type, date_updated); -- see countBy

-- The columns of factors that hold declared metadata keys: metadata_1, metadata_2, … by number. A column is ready when
-- the factors that were there before it have it filled in.
CREATE TABLE metadata_keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, ready INTEGER NOT NULL DEFAULT 0);

CREATE TABLE crawls (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	service_sid TEXT NOT NULL COLLATE NOCASE,
	kind        TEXT NOT NULL,
	owner       TEXT NOT NULL, -- the file that the process keeps locked while it crawls
	started     INTEGER NOT NULL,
	finished    INTEGER NOT NULL DEFAULT 0,
	cursor      TEXT NOT NULL DEFAULT '',
	listed      INTEGER NOT NULL DEFAULT 0,
	entities    INTEGER NOT NULL DEFAULT 0,
	factors     INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE outcomes (
	plan    TEXT NOT NULL,
	item    INTEGER NOT NULL,
	sid     TEXT NOT NULL COLLATE NOCASE,
	outcome TEXT NOT NULL,
	detail  TEXT NOT NULL,
	at      INTEGER NOT NULL,
	PRIMARY KEY (plan, item)
) WITHOUT ROWID;
`

// What credential files told before they were uploaded, by the keyed hash of what was in them.
const credentialFiles = `
CREATE TABLE credential_files (
	fingerprint    TEXT PRIMARY KEY,
	credential_sid TEXT NOT NULL COLLATE NOCASE,
	platform       TEXT NOT NULL,
	not_after      INTEGER NOT NULL,
	topics         TEXT NOT NULL, -- JSON
	project        TEXT NOT NULL,
	key_id         TEXT NOT NULL,
	at             INTEGER NOT NULL
) WITHOUT ROWID;
`

// How far the exchange of a Service's push credential has come.
const rotations = `
CREATE TABLE rotations (
	service_sid TEXT NOT NULL COLLATE NOCASE,
	platform    TEXT NOT NULL,
	began       INTEGER NOT NULL,
	fingerprint TEXT NOT NULL,
	old_sid     TEXT NOT NULL COLLATE NOCASE,
	new_sid     TEXT NOT NULL COLLATE NOCASE,
	attached    INTEGER NOT NULL,
	outcome     TEXT NOT NULL,
	PRIMARY KEY (service_sid, platform, began)
) WITHOUT ROWID;
`

// When the credential that was made of a file was changed last, by Twilio's clock.
const credentialFilesUpdated = `
ALTER TABLE credential_files ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
`

// What one client at a time may do, and how often it changed hands; and when claims were taken.
const leaseTable = `
CREATE TABLE leases (
	name  TEXT PRIMARY KEY,
	owner TEXT NOT NULL, -- the file that the process keeps locked
	fence INTEGER NOT NULL,
	until INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO leases (name, owner, fence, until) SELECT 'crawl', owner, 0, 0 FROM crawls WHERE finished = 0 ORDER BY id DESC LIMIT 1;
ALTER TABLE claims ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
`

// What was about to be made on Twilio, before it was sent. outcome and sid are empty until they are known.
const creations = `
CREATE TABLE creations (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	account_sid TEXT NOT NULL COLLATE NOCASE,
	creation    BLOB NOT NULL, -- JSON
	begun       INTEGER NOT NULL,
	outcome     TEXT NOT NULL DEFAULT '',
	sid         TEXT NOT NULL DEFAULT '' COLLATE NOCASE
);
`
