-- How an exchange is paid for, and what of its cost counts: NULL in rows that an earlier version wrote, where all of it does.
ALTER TABLE exchanges ADD COLUMN billing TEXT;
ALTER TABLE exchanges ADD COLUMN billed INTEGER;

-- What somebody should look at, such as a conversation that goes in circles; tags of the kind `warning`.
ALTER TABLE exchanges ADD COLUMN warnings TEXT NOT NULL DEFAULT '';

-- The same, summed up.
ALTER TABLE sessions ADD COLUMN billed INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET billed = coalesce(cost, 0);

-- And by the day (UTC, days since 1970) and key ('' for none): what budgets begin with after a restart.
CREATE TABLE spent (
  day    INTEGER NOT NULL,
  key    TEXT NOT NULL,
  billed INTEGER NOT NULL,
  PRIMARY KEY (day, key)
) WITHOUT ROWID;
INSERT INTO spent
SELECT time_ms / 86400000, coalesce(key, ''), CAST(sum(cost * 1.0) AS INTEGER)
FROM exchanges WHERE cost > 0 AND cost <= (1 << 50) GROUP BY 1, 2;

-- And by conversation and key, as long as the conversation is there.
CREATE TABLE spent_by (
  session TEXT NOT NULL,
  key     TEXT NOT NULL,
  billed  INTEGER NOT NULL,
  PRIMARY KEY (session, key)
) WITHOUT ROWID;
INSERT INTO spent_by
SELECT session, key, CAST(sum(exchanges.cost * 1.0) AS INTEGER)
FROM exchanges JOIN sessions USING (session)
WHERE key IS NOT NULL AND exchanges.cost > 0 AND exchanges.cost <= (1 << 50) GROUP BY 1, 2;
CREATE TRIGGER sessions_gone AFTER DELETE ON sessions BEGIN
  DELETE FROM spent_by WHERE session = OLD.session;
END;

-- What lists and searches are narrowed by, and what the oldest protocol of lists pages by. Every index is another write for
-- every exchange, so those of what is rare have nothing else.
CREATE INDEX exchanges_time ON exchanges (time_ms);
DROP INDEX exchanges_status;
CREATE INDEX exchanges_status ON exchanges (status, id) WHERE status <> 200;
DROP INDEX exchanges_end;
CREATE INDEX exchanges_end ON exchanges (end, id) WHERE end <> 'answered';
CREATE INDEX exchanges_error ON exchanges (id) WHERE error IS NOT NULL;
CREATE INDEX exchanges_retried ON exchanges (id) WHERE attempts > 1;

-- What outlives the rows that `prune` and retention delete. Row numbers and places in the order of ending are never given
-- twice: both go on behind the highest that was deleted. Segments begun before `seal_ms` are to be sealed by their writer.
CREATE TABLE lasting (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  n       INTEGER NOT NULL DEFAULT 0,
  closed  INTEGER NOT NULL DEFAULT 0,
  seal_ms INTEGER NOT NULL DEFAULT 0
);
INSERT INTO lasting (one) VALUES (1);
