-- The first schema. Steps are never edited: what is to change is another file.

-- A run is one process that writes. `ended_ms` stays empty if it died.
CREATE TABLE runs (
  run        INTEGER PRIMARY KEY AUTOINCREMENT,
  started_ms INTEGER NOT NULL,
  ended_ms   INTEGER,
  version    TEXT NOT NULL
);

-- `bytes` is how much of the file rows may refer to.
CREATE TABLE segments (
  segment  INTEGER PRIMARY KEY AUTOINCREMENT,
  run      INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  sealed   INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE exchanges (
  n              INTEGER PRIMARY KEY,
  id             BLOB NOT NULL,
  run            INTEGER NOT NULL,
  closed         INTEGER,
  time_ms        INTEGER NOT NULL,
  ended_ms       INTEGER,
  end            TEXT,
  kept           TEXT NOT NULL,
  client_wire    TEXT,
  upstream_wire  TEXT,
  lane           TEXT,
  path           TEXT NOT NULL DEFAULT '',
  model          TEXT NOT NULL DEFAULT '',
  upstream_model TEXT,
  provider       TEXT,
  status         INTEGER,
  attempts       INTEGER NOT NULL DEFAULT 0,
  stream         INTEGER NOT NULL DEFAULT 0,
  session        TEXT,
  agent          TEXT,
  class          TEXT,
  profile        TEXT,
  key            TEXT,
  input          INTEGER,
  cache_read     INTEGER,
  cache_write_5m INTEGER,
  cache_write_1h INTEGER,
  output         INTEGER,
  reasoning      INTEGER,
  tokens         INTEGER,
  cost           INTEGER,
  duration_ms    INTEGER,
  ttft_ms        INTEGER,
  overhead_us    INTEGER,
  commit_ms      INTEGER,
  stop           TEXT,
  error_kind     TEXT,
  error          TEXT,
  preview        TEXT,
  tools          TEXT NOT NULL DEFAULT '',
  quirks         TEXT NOT NULL DEFAULT '',
  losses         INTEGER NOT NULL DEFAULT 0
);

-- UUIDv7 sorts by time, so every index that ends in `id` gives its rows newest first.
CREATE UNIQUE INDEX exchanges_id ON exchanges (id);
CREATE UNIQUE INDEX exchanges_closed ON exchanges (closed) WHERE closed IS NOT NULL;
CREATE INDEX exchanges_open ON exchanges (run) WHERE end IS NULL;
CREATE INDEX exchanges_failed ON exchanges (id)
  WHERE end IS NOT NULL AND NOT coalesce(end = 'answered' AND status < 400 AND error_kind IS NULL, 0);
CREATE INDEX exchanges_status ON exchanges (status, id) WHERE status IS NOT NULL;
CREATE INDEX exchanges_model ON exchanges (model, id);
CREATE INDEX exchanges_upstream_model ON exchanges (upstream_model, id) WHERE upstream_model IS NOT NULL;
CREATE INDEX exchanges_provider ON exchanges (provider, id) WHERE provider IS NOT NULL;
CREATE INDEX exchanges_session ON exchanges (session, id) WHERE session IS NOT NULL;
CREATE INDEX exchanges_key ON exchanges (key, id) WHERE key IS NOT NULL;
CREATE INDEX exchanges_end ON exchanges (end, id) WHERE end IS NOT NULL;
CREATE INDEX exchanges_cost ON exchanges (cost, id) WHERE cost IS NOT NULL;
CREATE INDEX exchanges_duration ON exchanges (duration_ms, id) WHERE duration_ms IS NOT NULL;

-- Compressed JSON.
CREATE TABLE details (
  n      INTEGER PRIMARY KEY,
  detail BLOB NOT NULL
);

-- Bodies of an exchange: those kept at its start (part 0) and at its end (part 1).
CREATE TABLE bodies (
  n        INTEGER NOT NULL,
  part     INTEGER NOT NULL,
  segment  INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  PRIMARY KEY (n, part)
) WITHOUT ROWID;

-- Tools called and quirks hit, for filters.
CREATE TABLE tags (
  kind  TEXT NOT NULL,
  value TEXT NOT NULL,
  id    BLOB NOT NULL,
  PRIMARY KEY (kind, value, id)
) WITHOUT ROWID;
CREATE INDEX tags_id ON tags (id);

-- Sums over the closed exchanges of a conversation.
CREATE TABLE sessions (
  session   TEXT PRIMARY KEY,
  first_ms  INTEGER NOT NULL,
  last_ms   INTEGER NOT NULL,
  last_id   BLOB NOT NULL,
  exchanges INTEGER NOT NULL,
  errors    INTEGER NOT NULL,
  tokens    INTEGER NOT NULL,
  cost      INTEGER,
  unpriced  INTEGER NOT NULL,
  model     TEXT NOT NULL,
  provider  TEXT
) WITHOUT ROWID;
CREATE INDEX sessions_last ON sessions (last_id);
