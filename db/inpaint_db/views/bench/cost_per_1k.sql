-- What succeeded jobs cost, by the price that was in force when they ran: a new price begins a new row.
CREATE VIEW bench.cost_per_1k AS
SELECT p.run, p.model, p.tier, p.tier_definition, p.device_kind, p.device_name, p.usd_per_hour, p.usd_per_image,
       count(*) AS jobs, sum(p.images) AS images, min(p.finished_at) AS first_at, max(p.finished_at) AS last_at,
       avg(p.inference_s / p.images) AS seconds_per_image,
       -- A mean over those alone whose cost is known could be that of the cheap ones.
       CASE WHEN bool_and(p.cost_usd IS NOT NULL) THEN 1000 * sum(p.cost_usd) / sum(p.images) END AS cost_per_1k_usd,
       string_agg(DISTINCT p.cost_unknown_reason, '; ') AS cost_unknown_reason
  FROM (SELECT r.name AS run, c.model, c.tier, c.tier_definition, c.device_kind, c.device_name, c.usd_per_hour,
               c.usd_per_image, c.outputs AS images, c.finished_at, c.inference_s, c.cost_usd, c.cost_unknown_reason
          FROM run r
          JOIN trial t ON t.run_id = r.id
          JOIN job_cost c ON c.job_id = t.job_id
        UNION ALL
        SELECT r.name, t.model, r.tier, CASE r.tier WHEN 'exact' THEN '' END, NULL, t.device_name, NULL, NULL, 1, NULL,
               t.inference_s, t.cost_usd, CASE WHEN t.cost_usd IS NULL THEN 'not told by the import' END
          FROM run r
          JOIN trial t ON t.run_id = r.id
         WHERE t.imported_at IS NOT NULL
        UNION ALL
        SELECT NULL, c.model, c.tier, c.tier_definition, c.device_kind, c.device_name, c.usd_per_hour, c.usd_per_image,
               c.outputs, c.finished_at, c.inference_s, c.cost_usd, c.cost_unknown_reason
          FROM job_cost c
         WHERE NOT EXISTS (SELECT FROM trial t WHERE t.job_id = c.job_id)) p
 GROUP BY p.run, p.model, p.tier, p.tier_definition, p.device_kind, p.device_name, p.usd_per_hour, p.usd_per_image;

COMMENT ON VIEW bench.cost_per_1k IS 'One row per run (or production), model, tier and what it left out, device and price: what 1,000 images cost.';
COMMENT ON COLUMN bench.cost_per_1k.run IS 'Name of the run; NULL: production.';
COMMENT ON COLUMN bench.cost_per_1k.model IS 'Model card.';
COMMENT ON COLUMN bench.cost_per_1k.tier IS 'What the jobs ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.cost_per_1k.tier_definition IS 'What that tier left out when they ran, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. NULL: not known, as of imported results.';
COMMENT ON COLUMN bench.cost_per_1k.device_kind IS 'cpu, cuda or api; NULL: imported results.';
COMMENT ON COLUMN bench.cost_per_1k.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN bench.cost_per_1k.usd_per_hour IS 'US dollars per hour of the device, in force when the jobs started; NULL: paid per image, or there was no price.';
COMMENT ON COLUMN bench.cost_per_1k.usd_per_image IS 'US dollars per image of an API, in force when the jobs started; NULL: paid per hour, or there was no price.';
COMMENT ON COLUMN bench.cost_per_1k.jobs IS 'Succeeded jobs.';
COMMENT ON COLUMN bench.cost_per_1k.images IS 'Images that they made: a job may have been asked for several.';
COMMENT ON COLUMN bench.cost_per_1k.first_at IS 'When the first of them ended; NULL: imported.';
COMMENT ON COLUMN bench.cost_per_1k.last_at IS 'When the last of them ended; NULL: imported.';
COMMENT ON COLUMN bench.cost_per_1k.seconds_per_image IS 'Seconds on the device per image, mean, cold ones included.';
COMMENT ON COLUMN bench.cost_per_1k.cost_per_1k_usd IS 'US dollars per 1,000 images, with the attempts that failed before. NULL: the cost of a job is unknown.';
COMMENT ON COLUMN bench.cost_per_1k.cost_unknown_reason IS 'Why cost_per_1k_usd is NULL, or lacks attempts.';
