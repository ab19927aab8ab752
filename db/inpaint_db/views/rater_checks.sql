-- Who fails. Anybody fails a check now and then, so that it takes more than half of at least three of one purpose: whoever
-- gives the same stars to everything passes all checks of two purposes, and none of the third.
CREATE VIEW rater_checks AS
SELECT k.rater_id, sum(k.checks)::bigint AS checks, sum(k.failed)::bigint AS failed,
       bool_or(k.checks >= 3 AND 2 * k.failed > k.checks) AS failing
  FROM (SELECT c.rater_id, c.purpose, count(c.passed) AS checks, count(*) FILTER (WHERE NOT c.passed) AS failed
          FROM rating_check c GROUP BY c.rater_id, c.purpose) k
 GROUP BY k.rater_id;

COMMENT ON VIEW rater_checks IS 'One row per rater who had checks, in all sessions.';
COMMENT ON COLUMN rater_checks.rater_id IS 'Who was checked.';
COMMENT ON COLUMN rater_checks.checks IS 'How many checks the rater has rated.';
COMMENT ON COLUMN rater_checks.failed IS 'How many of those were failed.';
COMMENT ON COLUMN rater_checks.failing IS 'Whether more than half of the checks of one purpose were failed, of at least three.';
