-- All stars that count, those of checks and of raters who failed some included: columns tell them apart.
CREATE VIEW bench.ratings_current AS
SELECT i.run_id, n.name AS run, i.model, CASE WHEN i.kind <> 'model' THEN coalesce(n.tier, a.tier) END AS tier,
       CASE WHEN i.kind = 'model' THEN NULL WHEN coalesce(n.tier, a.tier) = 'exact' THEN ''
            WHEN i.run_id IS NULL THEN a.tier_definition
            ELSE (SELECT string_agg(DISTINCT d.tier_definition, ' | ')
                    FROM trial e
                    JOIN job f ON f.id = e.job_id
                    JOIN attempt_tier d ON d.job_id = f.id AND d.number = f.attempt
                   WHERE e.id = ANY(i.trial_ids)) END AS tier_definition,
       i.sample_id, m.name AS sample, t.number AS trial, i.trial_ids, i.job_id,
       i.kind, i.purpose, r.criterion, r.stars, p.id AS rater_id, p.name AS rater, p.kind = 'imported' AS imported,
       u.name AS rubric, u.version AS rubric_version, s.id AS session_id, s.name AS session,
       s.finished_at IS NOT NULL AS finished, i.id AS item_id, r.id AS rating_id, r.number, r.duration_s,
       -- As forgiving as the page, by a quarter of a second. Corrections are quick with good reason.
       r.first_s < s.min_dwell_s - 0.25 AS hasty, r.times_given,
       coalesce(g.skipped, false) AS skipped, coalesce(g.flagged, false) AS flagged,
       coalesce(c.checks, 0) AS rater_checks, coalesce(c.failed, 0) AS rater_checks_failed,
       coalesce(c.failing, false) AS rater_failing, r.created_at
  FROM rating_item i
  -- The same as in current_rating. Item by item, so that a question about one run reads the ratings of that run alone.
  JOIN LATERAL (
       SELECT w.* FROM (
              SELECT o.id, o.criterion, o.stars, o.number, o.duration_s, o.created_at, e.rating_id IS NULL AS stands,
                     count(*) OVER (PARTITION BY o.criterion) AS times_given,
                     first_value(coalesce(o.measured_s, o.duration_s)) OVER (ORDER BY o.number) AS first_s,
                     row_number() OVER (PARTITION BY o.criterion
                                        ORDER BY e.rating_id IS NOT NULL,
                                                 o.created_at - o.waited_s * interval '1 second' DESC, o.number DESC)
                       AS nth
                FROM rating o LEFT JOIN rating_event e ON e.rating_id = o.id
               WHERE o.item_id = i.id) w
        WHERE w.nth = 1 AND w.stands) r ON true
  JOIN rating_session s ON s.id = i.session_id
  JOIN rater p ON p.id = s.rater_id
  JOIN rubric u ON u.id = s.rubric_id
  LEFT JOIN run n ON n.id = i.run_id
  LEFT JOIN job j ON j.id = i.job_id AND i.run_id IS NULL
  LEFT JOIN attempt_tier a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN sample m ON m.id = i.sample_id
  LEFT JOIN trial t ON t.id = i.trial_ids[1] AND i.kind = 'output'
  -- As in rating_progress, and all at once.
  LEFT JOIN (SELECT e.item_id, bool_or(e.kind = 'flag') AS flagged,
                    (array_agg(e.kind = 'skip' ORDER BY e.number DESC) FILTER (WHERE e.kind IN ('skip', 'unskip')))[1]
                      AS skipped
               FROM rating_event e GROUP BY e.item_id) g ON g.item_id = i.id
  LEFT JOIN rater_checks c ON c.rater_id = p.id;

COMMENT ON VIEW bench.ratings_current IS 'One row per item of a rating session and criterion: the stars that count. Take purpose = ''real'' for what is said of models.';
COMMENT ON COLUMN bench.ratings_current.run_id IS 'Id of the run; NULL: a job outside of benchmarks, or a publication that is about no run.';
COMMENT ON COLUMN bench.ratings_current.run IS 'Name of the run.';
COMMENT ON COLUMN bench.ratings_current.model IS 'Model card. Of a check: of the result that it was made of.';
COMMENT ON COLUMN bench.ratings_current.tier IS 'What the result was made in: exact, or fast or turbo, which leave work out. NULL: stars that a publication gave a model as a whole.';
COMMENT ON COLUMN bench.ratings_current.tier_definition IS 'What that tier left out, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. Of several trials that differ in it, all with | between them. NULL: not known, as of an imported result, or of a model as a whole.';
COMMENT ON COLUMN bench.ratings_current.sample_id IS 'Id of the sample; NULL: there is none.';
COMMENT ON COLUMN bench.ratings_current.sample IS 'Name of the sample in its dataset.';
COMMENT ON COLUMN bench.ratings_current.trial IS 'Number of the trial, from 1; NULL: not about one trial.';
COMMENT ON COLUMN bench.ratings_current.trial_ids IS 'Ids of the trials that were shown.';
COMMENT ON COLUMN bench.ratings_current.job_id IS 'Its job; NULL: several, none, or an imported result.';
COMMENT ON COLUMN bench.ratings_current.kind IS 'output: one picture; trials: all trials of a model on a sample; model: a model as a whole, as published.';
COMMENT ON COLUMN bench.ratings_current.purpose IS 'real, or a check: repeat (a real item again), untouched (the source), damaged (a spoilt result).';
COMMENT ON COLUMN bench.ratings_current.criterion IS 'realism, adaptability, consistency, preservation or reproducibility.';
COMMENT ON COLUMN bench.ratings_current.stars IS 'Stars, 0 to 4.';
COMMENT ON COLUMN bench.ratings_current.rater_id IS 'Id of the rater.';
COMMENT ON COLUMN bench.ratings_current.rater IS 'Name of the rater.';
COMMENT ON COLUMN bench.ratings_current.imported IS 'True: the stars were given elsewhere, and read from a file or a publication.';
COMMENT ON COLUMN bench.ratings_current.rubric IS 'Name of the rubric by which they were given.';
COMMENT ON COLUMN bench.ratings_current.rubric_version IS 'Version of the rubric''s words.';
COMMENT ON COLUMN bench.ratings_current.session_id IS 'Id of the session.';
COMMENT ON COLUMN bench.ratings_current.session IS 'Name of the session.';
COMMENT ON COLUMN bench.ratings_current.finished IS 'Whether the session is finished.';
COMMENT ON COLUMN bench.ratings_current.item_id IS 'Id of the item that was rated.';
COMMENT ON COLUMN bench.ratings_current.rating_id IS 'Id of the rating that counts.';
COMMENT ON COLUMN bench.ratings_current.number IS 'Order of arrival.';
COMMENT ON COLUMN bench.ratings_current.duration_s IS 'Seconds from showing to giving; NULL: not known.';
COMMENT ON COLUMN bench.ratings_current.hasty IS 'True: the item''s first stars came sooner than the session asks one to look, by the server''s clock where it measured; NULL: not known.';
COMMENT ON COLUMN bench.ratings_current.times_given IS 'How often stars were given for it, corrections and what was taken back included.';
COMMENT ON COLUMN bench.ratings_current.skipped IS 'Whether the rater has skipped the item, before or after giving these stars.';
COMMENT ON COLUMN bench.ratings_current.flagged IS 'Whether the rater has said that something is wrong with the item.';
COMMENT ON COLUMN bench.ratings_current.rater_checks IS 'How many checks the rater has rated, in all sessions.';
COMMENT ON COLUMN bench.ratings_current.rater_checks_failed IS 'How many of those were failed.';
COMMENT ON COLUMN bench.ratings_current.rater_failing IS 'Whether more than half of the rater''s checks of one purpose were failed, of at least three; see bench.raters.';
COMMENT ON COLUMN bench.ratings_current.created_at IS 'When the stars arrived; of imported ones, when they were imported.';
