-- What succeeded jobs cost, by the price that was in force when they ran: a new price begins a new row.
CREATE VIEW bench.cost_per_1k AS
SELECT p.run, p.model, p.device_kind, p.device_name, p.usd_per_hour, p.usd_per_image,
       count(*) AS jobs, sum(p.images) AS images, min(p.at) AS first_at, max(p.at) AS last_at,
       avg(p.inference_s / p.images) AS seconds_per_image,
       -- A mean over those alone whose cost is known could be that of the cheap ones.
       CASE WHEN bool_and(p.cost_usd IS NOT NULL) THEN 1000 * sum(p.cost_usd) / sum(p.images) END AS cost_per_1k_usd,
       string_agg(DISTINCT p.cost_unknown_reason, '; ') AS cost_unknown_reason
  FROM (SELECT r.name AS run, j.model, a.device_kind, a.device_name,
               CASE WHEN a.usd_per_image IS NULL THEN a.usd_per_hour END AS usd_per_hour, a.usd_per_image,
               j.outputs AS images, a.started_at AS at, a.inference_s,
               -- Few have more than one attempt.
               CASE WHEN j.attempt = 1 THEN a.cost_usd
                    ELSE (SELECT sum(c.cost_usd) FROM attempt_cost c WHERE c.job_id = j.id) END AS cost_usd,
               CASE WHEN j.attempt = 1 THEN a.cost_unknown_reason
                    ELSE (SELECT string_agg(DISTINCT c.cost_unknown_reason, '; ') FROM attempt_cost c
                           WHERE c.job_id = j.id) END AS cost_unknown_reason
          FROM job j
          LEFT JOIN trial t ON t.job_id = j.id
          LEFT JOIN run r ON r.id = t.run_id
          JOIN attempt_report a ON a.job_id = j.id AND a.number = j.attempt
         WHERE j.status = 'succeeded'
        UNION ALL
        SELECT r.name, t.model, NULL, t.device_name, NULL, NULL, 1, t.imported_at, t.inference_s, t.cost_usd,
               CASE WHEN t.cost_usd IS NULL THEN 'not told by the import' END
          FROM trial t
          JOIN run r ON r.id = t.run_id
         WHERE t.imported_at IS NOT NULL) p
 GROUP BY p.run, p.model, p.device_kind, p.device_name, p.usd_per_hour, p.usd_per_image;

COMMENT ON VIEW bench.cost_per_1k IS 'One row per run (or production), model, device and price: what 1,000 images cost.';
COMMENT ON COLUMN bench.cost_per_1k.run IS 'Name of the run; NULL: production.';
COMMENT ON COLUMN bench.cost_per_1k.model IS 'Model card.';
COMMENT ON COLUMN bench.cost_per_1k.device_kind IS 'cpu, cuda or api; NULL: imported results.';
COMMENT ON COLUMN bench.cost_per_1k.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN bench.cost_per_1k.usd_per_hour IS 'US dollars per hour of the device, in force when the jobs started; NULL: paid per image, or there was no price.';
COMMENT ON COLUMN bench.cost_per_1k.usd_per_image IS 'US dollars per image of an API, in force when the jobs started; NULL: paid per hour, or there was no price.';
COMMENT ON COLUMN bench.cost_per_1k.jobs IS 'Succeeded jobs.';
COMMENT ON COLUMN bench.cost_per_1k.images IS 'Images that they made: a job may have been asked for several.';
COMMENT ON COLUMN bench.cost_per_1k.first_at IS 'When the first of them started, or was imported.';
COMMENT ON COLUMN bench.cost_per_1k.last_at IS 'When the last of them started, or was imported.';
COMMENT ON COLUMN bench.cost_per_1k.seconds_per_image IS 'Seconds on the device per image, mean, cold ones included.';
COMMENT ON COLUMN bench.cost_per_1k.cost_per_1k_usd IS 'US dollars per 1,000 images, with the attempts that failed before. NULL: the cost of a job is unknown.';
COMMENT ON COLUMN bench.cost_per_1k.cost_unknown_reason IS 'Why cost_per_1k_usd is NULL, or lacks attempts.';
