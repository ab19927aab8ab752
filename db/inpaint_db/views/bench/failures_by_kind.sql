-- Why jobs failed. Production is in it with its codes alone: messages can name objects and quote prompts.
CREATE VIEW bench.failures_by_kind AS
SELECT r.name AS run, j.model, coalesce(a.tier, j.tier) AS tier, j.status, coalesce(j.error_code, j.status) AS error_code, count(*) AS jobs,
       count(DISTINCT t.sample_id) AS samples, min(j.finished_at) AS first_at, max(j.finished_at) AS last_at,
       (array_agg(j.id ORDER BY j.finished_at DESC, j.id))[1] AS example_job
  FROM job j
  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN trial t ON t.job_id = j.id
  LEFT JOIN run r ON r.id = t.run_id
 WHERE j.status IN ('failed', 'expired')
 GROUP BY r.name, j.model, coalesce(a.tier, j.tier), j.status, coalesce(j.error_code, j.status);

COMMENT ON VIEW bench.failures_by_kind IS 'One row per run (or production), model, tier and error: how many jobs failed or expired of it.';
COMMENT ON COLUMN bench.failures_by_kind.run IS 'Name of the run; NULL: production.';
COMMENT ON COLUMN bench.failures_by_kind.model IS 'Model card.';
COMMENT ON COLUMN bench.failures_by_kind.tier IS 'What the jobs ran in, or asked for: exact, or fast or turbo, which leave work out. NULL: they never ran, and left it to the worker.';
COMMENT ON COLUMN bench.failures_by_kind.status IS 'failed or expired.';
COMMENT ON COLUMN bench.failures_by_kind.error_code IS 'Stable code of the error that ended them.';
COMMENT ON COLUMN bench.failures_by_kind.jobs IS 'How many jobs.';
COMMENT ON COLUMN bench.failures_by_kind.samples IS 'How many samples of the run are concerned; 0 in production.';
COMMENT ON COLUMN bench.failures_by_kind.first_at IS 'When the first of them ended.';
COMMENT ON COLUMN bench.failures_by_kind.last_at IS 'When the last of them ended.';
COMMENT ON COLUMN bench.failures_by_kind.example_job IS 'Id of the newest: inpaint jobs get tells the rest.';
