-- What each job that succeeded cost, with the attempts before the one that did.
CREATE VIEW job_cost AS
SELECT j.id AS job_id, j.model, a.tier, a.tier_definition, j.outputs, j.finished_at, a.inference_s, a.device_kind,
       a.device_name,
       CASE WHEN a.usd_per_image IS NULL THEN a.usd_per_hour END AS usd_per_hour, a.usd_per_image,
       -- Few have more than one attempt.
       CASE WHEN j.attempt = 1 THEN a.cost_usd
            ELSE (SELECT sum(c.cost_usd) FROM attempt_cost c WHERE c.job_id = j.id) END AS cost_usd,
       CASE WHEN j.attempt = 1 THEN a.cost_unknown_reason
            ELSE (SELECT string_agg(DISTINCT c.cost_unknown_reason, '; ') FROM attempt_cost c
                   WHERE c.job_id = j.id) END AS cost_unknown_reason
  FROM job j
  -- Each has one. LEFT leaves Postgres free to look up the attempts of few jobs rather than read all.
  LEFT JOIN attempt_report a ON a.job_id = j.id AND a.number = j.attempt
 WHERE j.status = 'succeeded';

COMMENT ON VIEW job_cost IS 'One row per job that succeeded: where it ran, and what all of its attempts cost.';
COMMENT ON COLUMN job_cost.job_id IS 'The job.';
COMMENT ON COLUMN job_cost.model IS 'Model card.';
COMMENT ON COLUMN job_cost.tier IS 'What it ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN job_cost.tier_definition IS 'What that tier left out when it ran, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. NULL: not known.';
COMMENT ON COLUMN job_cost.outputs IS 'Images that it made.';
COMMENT ON COLUMN job_cost.finished_at IS 'When it ended.';
COMMENT ON COLUMN job_cost.inference_s IS 'Seconds on the device, of the attempt that succeeded.';
COMMENT ON COLUMN job_cost.device_kind IS 'cpu, cuda or api.';
COMMENT ON COLUMN job_cost.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN job_cost.usd_per_hour IS 'US dollars per hour of the device, in force when that attempt started; NULL: paid per image, or there was no price.';
COMMENT ON COLUMN job_cost.usd_per_image IS 'US dollars per image of an API, in force when that attempt started; NULL: paid per hour, or there was no price.';
COMMENT ON COLUMN job_cost.cost_usd IS 'US dollars of all attempts whose cost is known; NULL if none is.';
COMMENT ON COLUMN job_cost.cost_unknown_reason IS 'Why the cost of some attempt, or of all, is unknown; NULL: cost_usd is complete.';
