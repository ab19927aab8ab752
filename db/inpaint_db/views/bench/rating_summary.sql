-- What people think of models. A mean over the pictures that a rater saw of a sample, then over raters, then over
-- samples: who rated more, or what was rated more often, counts no more.
CREATE VIEW bench.rating_summary AS
SELECT c.run_id, n.name AS run, c.model, c.tier, c.criterion, c.published,
       (sum(c.stars / c.of_sample) / count(DISTINCT c.subject))::float8 AS stars,
       sum(c.ratings)::bigint AS ratings, sum(c.items)::bigint AS items,
       CASE WHEN c.published THEN 0 ELSE count(DISTINCT c.subject) END AS samples,
       count(DISTINCT c.rater_id) AS raters,
       count(DISTINCT c.rater_id) FILTER (WHERE c.imported) AS imported_raters,
       count(DISTINCT c.rater_id) FILTER (WHERE k.rater_id IS NOT NULL) AS raters_failing
  FROM (SELECT i.run_id, i.model, i.tier, r.criterion, i.kind = 'model' AS published,
               -- What counts as a sample: a job outside of benchmarks is one of its own.
               coalesce(i.sample_id, i.job_id, i.id) AS subject, s.rater_id, p.kind = 'imported' AS imported,
               avg(r.stars) AS stars, count(*) AS ratings, count(DISTINCT coalesce(i.trial_ids[1], i.job_id, i.id))
                 AS items,
               count(*) OVER (PARTITION BY i.run_id, i.model, i.tier, r.criterion, i.kind = 'model',
                                           coalesce(i.sample_id, i.job_id, i.id)) AS of_sample
          FROM (SELECT o.*, CASE WHEN o.kind <> 'model' THEN coalesce(q.tier, a.tier) END AS tier
                  FROM rating_item o
                  LEFT JOIN run q ON q.id = o.run_id
                  -- Only of what belongs to no run: a run has one.
                  LEFT JOIN job j ON j.id = o.job_id AND o.run_id IS NULL
                  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt) i
          JOIN current_rating r ON r.item_id = i.id
          JOIN rating_session s ON s.id = i.session_id
          JOIN rater p ON p.id = s.rater_id
         WHERE i.purpose = 'real'
         GROUP BY i.run_id, i.model, i.tier, r.criterion, i.kind = 'model', coalesce(i.sample_id, i.job_id, i.id),
                  s.rater_id, p.kind) c
  LEFT JOIN run n ON n.id = c.run_id
  LEFT JOIN (SELECT DISTINCT rater_id FROM rating_check WHERE NOT passed) k ON k.rater_id = c.rater_id
 GROUP BY c.run_id, n.name, c.model, c.tier, c.criterion, c.published;

COMMENT ON VIEW bench.rating_summary IS 'One row per run (or production), model, tier and criterion: mean stars over raters first and then over samples. Checks are not in it; what a publication says stands in rows of its own. `inpaint ratings summary` adds intervals.';
COMMENT ON COLUMN bench.rating_summary.run_id IS 'Id of the run; NULL: production, or a publication that is about no run.';
COMMENT ON COLUMN bench.rating_summary.run IS 'Name of the run.';
COMMENT ON COLUMN bench.rating_summary.model IS 'Model card.';
COMMENT ON COLUMN bench.rating_summary.tier IS 'What the results were made in: exact, or fast or turbo, which leave work out. NULL: stars that a publication gave a model as a whole.';
COMMENT ON COLUMN bench.rating_summary.criterion IS 'realism, adaptability, consistency, preservation or reproducibility.';
COMMENT ON COLUMN bench.rating_summary.published IS 'True: stars that were published of the model as a whole, not given to results of the run.';
COMMENT ON COLUMN bench.rating_summary.stars IS 'Mean stars, 0 to 4.';
COMMENT ON COLUMN bench.rating_summary.ratings IS 'How many ratings.';
COMMENT ON COLUMN bench.rating_summary.items IS 'How many things were rated, counted for each rater.';
COMMENT ON COLUMN bench.rating_summary.samples IS 'How many samples; a job outside of benchmarks counts as one.';
COMMENT ON COLUMN bench.rating_summary.raters IS 'How many raters.';
COMMENT ON COLUMN bench.rating_summary.imported_raters IS 'How many of those gave their stars elsewhere.';
COMMENT ON COLUMN bench.rating_summary.raters_failing IS 'How many of the raters have failed a check anywhere; their stars are counted all the same.';
