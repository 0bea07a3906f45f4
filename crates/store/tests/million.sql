-- Rows as a team makes them: few errors, fewer dear ones, many sessions. By SQL, because a million of them by the recorder
-- takes minutes. The recorder's own first row is what they are copies of; `wanted.rows` says how many there are to be.
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < (SELECT rows FROM wanted)),
  mixed (n, m) AS (SELECT n, n * 2654435761 % 1000003 FROM counter)
INSERT INTO exchanges (
  id, run, closed, time_ms, ended_ms, end, kept, client_wire, upstream_wire, lane, path, model, upstream_model,
  provider, status, attempts, stream, session, class, key, input, cache_read, output, tokens, cost, duration_ms,
  ttft_ms, overhead_us, commit_ms, stop, preview)
SELECT
  unhex(printf('%012x70008000%012x', o.time_ms + x.n * 1000, x.n)), o.run, o.closed + x.n, o.time_ms + x.n * 1000,
  o.time_ms + x.n * 1000 + 800, o.end, o.kept, o.client_wire, o.upstream_wire, o.lane, o.path,
  CASE m % 4 WHEN 0 THEN 'kimi' WHEN 1 THEN 'claude-opus' WHEN 2 THEN 'claude-haiku' ELSE 'glm' END, o.upstream_model,
  CASE m % 3 WHEN 0 THEN 'moonshot' WHEN 1 THEN 'other' ELSE 'local' END, CASE WHEN m % 97 = 0 THEN 529 ELSE 200 END,
  o.attempts, o.stream, 'session-' || (x.n / 40), o.class, CASE x.n WHEN 5 THEN 'once' ELSE 'alice' END, o.input,
  o.cache_read, o.output, o.tokens, CASE WHEN m % 10007 = 0 THEN 5000000 ELSE m % 90000 END, m % 60000, o.ttft_ms,
  o.overhead_us, o.commit_ms, o.stop, o.preview
FROM mixed AS x, exchanges AS o WHERE o.n = 1;

INSERT INTO tags (kind, value, id)
  SELECT 'tool', 'Bash', id FROM exchanges WHERE duration_ms % 3 = 0
  UNION ALL SELECT 'quirk', 'rare', id FROM exchanges WHERE duration_ms % 50021 = 0;

INSERT OR REPLACE INTO sessions (
  session, first_ms, last_ms, last_id, exchanges, errors, tokens, cost, unpriced, model)
SELECT session, min(time_ms), max(time_ms), max(id), count(*), 0, sum(tokens), sum(cost), 0, max(model)
FROM exchanges GROUP BY session;
