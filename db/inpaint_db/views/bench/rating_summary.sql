-- What people think of models. A mean over the pictures that a rater saw of a sample, then over raters, then over
-- samples: who rated more, or what was rated more often, counts no more.
CREATE VIEW bench.rating_summary AS
SELECT c.run_id, c.run, c.model, c.tier,
       -- A run has one row all the same, as in the leaderboard, if the tier was changed in the middle of it.
       CASE WHEN c.tier = 'exact' THEN '' WHEN c.run_id IS NULL OR c.whole THEN c.tier_definition
            ELSE (SELECT string_agg(DISTINCT d.tier_definition, ' | ')
                    FROM trial t
                    JOIN job j ON j.id = t.job_id
                    JOIN attempt_tier d ON d.job_id = j.id AND d.number = j.attempt
                   WHERE t.run_id = c.run_id AND t.model = c.model) END AS tier_definition,
       c.criterion, c.whole, c.published,
       (sum(c.stars / c.of_sample) / count(DISTINCT c.subject))::float8 AS stars,
       sum(c.ratings)::bigint AS ratings, sum(c.items)::bigint AS items,
       CASE WHEN c.whole THEN 0 ELSE count(DISTINCT c.subject) END AS samples,
       count(DISTINCT c.rater_id) AS raters,
       count(DISTINCT c.rater_id) FILTER (WHERE c.imported) AS imported_raters,
       count(DISTINCT c.rater_id) FILTER (WHERE k.failing) AS raters_failing,
       array_to_string(ARRAY(SELECT DISTINCT u.rubric FROM unnest(string_to_array(string_agg(c.rubrics, ' | '), ' | ')) u (rubric)
                              ORDER BY u.rubric), ' | ') AS rubrics
  FROM (SELECT i.run_id, i.run, i.model, i.tier, i.tier_definition, r.criterion, i.kind = 'model' AS whole,
               i.kind = 'model' AND r.ui_version LIKE 'published %' AS published,
               -- What counts as a sample: a job outside of benchmarks is one of its own.
               coalesce(i.sample_id, i.job_id, i.id) AS subject, s.rater_id, p.kind = 'imported' AS imported,
               avg(r.stars) AS stars, count(*) AS ratings,
               -- A set of trials is the same one however many trials there were by then.
               count(DISTINCT CASE i.kind WHEN 'trials' THEN i.sample_id ELSE coalesce(i.trial_ids[1], i.job_id, i.id) END)
                 AS items,
               string_agg(u.name || ' ' || u.version, ' | ') AS rubrics,
               count(*) OVER (PARTITION BY i.run_id, i.run, i.model, i.tier, i.tier_definition, r.criterion,
                                           i.kind = 'model',
                                           i.kind = 'model' AND r.ui_version LIKE 'published %',
                                           coalesce(i.sample_id, i.job_id, i.id)) AS of_sample
          FROM (SELECT o.*, q.name AS run, CASE WHEN o.kind <> 'model' THEN coalesce(q.tier, a.tier) END AS tier,
                       a.tier_definition
                  FROM rating_item o
                  LEFT JOIN run q ON q.id = o.run_id
                  -- Only of what belongs to no run: a run has one.
                  LEFT JOIN job j ON j.id = o.job_id AND o.run_id IS NULL
                  LEFT JOIN attempt_tier a ON a.job_id = j.id AND a.number = j.attempt) i
          JOIN current_rating r ON r.item_id = i.id
          JOIN rating_session s ON s.id = i.session_id
          JOIN rater p ON p.id = s.rater_id
          JOIN rubric u ON u.id = s.rubric_id
         WHERE i.purpose = 'real'
         GROUP BY i.run_id, i.run, i.model, i.tier, i.tier_definition, r.criterion, i.kind = 'model',
                  i.kind = 'model' AND r.ui_version LIKE 'published %', coalesce(i.sample_id, i.job_id, i.id), s.rater_id,
                  p.kind) c
  LEFT JOIN rater_checks k ON k.rater_id = c.rater_id
 GROUP BY c.run_id, c.run, c.model, c.tier, c.tier_definition, c.criterion, c.whole, c.published;

COMMENT ON VIEW bench.rating_summary IS 'One row per run (or production), model, tier, what that left out, and criterion: mean stars over raters first and then over samples. Checks are not in it; what is said of models as a whole stands in rows of its own. `inpaint ratings summary` adds intervals.';
COMMENT ON COLUMN bench.rating_summary.run_id IS 'Id of the run; NULL: production, or a publication that is about no run.';
COMMENT ON COLUMN bench.rating_summary.run IS 'Name of the run.';
COMMENT ON COLUMN bench.rating_summary.model IS 'Model card.';
COMMENT ON COLUMN bench.rating_summary.tier IS 'What the results were made in: exact, or fast or turbo, which leave work out. NULL: stars that a publication gave a model as a whole.';
COMMENT ON COLUMN bench.rating_summary.tier_definition IS 'What that tier left out, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. Of a run several with | between them: it was changed in the middle of it. NULL: not known, as of imported results, or of a model as a whole.';
COMMENT ON COLUMN bench.rating_summary.criterion IS 'realism, adaptability, consistency, preservation or reproducibility.';
COMMENT ON COLUMN bench.rating_summary.whole IS 'True: stars for the model as a whole, from a publication or a file, not given to results of the run.';
COMMENT ON COLUMN bench.rating_summary.published IS 'True: whole, and entered from a publication by `inpaint ratings import-published`.';
COMMENT ON COLUMN bench.rating_summary.stars IS 'Mean stars, 0 to 4.';
COMMENT ON COLUMN bench.rating_summary.ratings IS 'How many ratings.';
COMMENT ON COLUMN bench.rating_summary.items IS 'How many things were rated, counted for each rater.';
COMMENT ON COLUMN bench.rating_summary.samples IS 'How many samples; a job outside of benchmarks counts as one.';
COMMENT ON COLUMN bench.rating_summary.raters IS 'How many raters.';
COMMENT ON COLUMN bench.rating_summary.imported_raters IS 'How many of those gave their stars elsewhere.';
COMMENT ON COLUMN bench.rating_summary.raters_failing IS 'How many of the raters fail checks: more than half of one purpose, of at least three, anywhere; see bench.raters. Their stars are counted all the same.';
COMMENT ON COLUMN bench.rating_summary.rubrics IS 'Rubrics and versions by which the stars were given, with | between them: of several, the words may not mean the same, and neither the mean. bench.ratings_current tells them apart.';
