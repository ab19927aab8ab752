-- What each attempt cost, by the price in force when it started. Never stored, so a corrected price corrects history.
CREATE VIEW attempt_cost AS
SELECT a.job_id,
       a.number AS attempt,
       CASE
         WHEN a.status IN ('running', 'lost') THEN NULL
         -- An API is called once for each window of each output, which is one step; a failed attempt has paid for those
         -- it had.
         WHEN per_image.usd_per_image IS NOT NULL AND a.status = 'succeeded'
         THEN per_image.usd_per_image * greatest(1, jsonb_array_length(a.windows)) * j.outputs
         WHEN per_image.usd_per_image IS NOT NULL AND e.device_kind = 'api'
         THEN per_image.usd_per_image * coalesce(a.steps_done, 0)
         WHEN per_image.usd_per_image IS NOT NULL OR a.inference_s IS NULL THEN 0
         ELSE a.inference_s * hourly.usd_per_hour / 3600
       END AS cost_usd,
       CASE
         WHEN a.status = 'running' THEN 'still running'
         WHEN a.status = 'lost' THEN 'the worker was lost before it told'
         WHEN per_image.usd_per_image IS NULL AND a.inference_s IS NOT NULL AND hourly.usd_per_hour IS NULL
         THEN 'no price for ' || CASE e.device_kind WHEN 'api' THEN 'an image of ' || j.model
                                                    ELSE e.device_kind || ' ' || e.device_name END
       END AS cost_unknown_reason,
       hourly.usd_per_hour, per_image.usd_per_image
  FROM attempt a
  JOIN job j ON j.id = a.job_id
  JOIN environment e ON e.id = a.environment_id
  LEFT JOIN LATERAL (
        SELECT p.usd_per_image FROM price p
         WHERE p.model = j.model AND p.valid_from <= a.started_at
           AND (p.valid_to IS NULL OR p.valid_to > a.started_at)
         ORDER BY p.valid_from DESC, p.id DESC LIMIT 1) per_image ON true
  LEFT JOIN LATERAL (
        SELECT p.usd_per_hour FROM price p
         WHERE p.device_kind = e.device_kind AND (p.device_name IS NULL OR p.device_name = e.device_name)
           AND p.valid_from <= a.started_at AND (p.valid_to IS NULL OR p.valid_to > a.started_at)
         ORDER BY p.device_name NULLS LAST, p.valid_from DESC, p.id DESC LIMIT 1) hourly ON true;

COMMENT ON VIEW attempt_cost IS 'One row per attempt: its cost, derived from the price in force when it started.';
COMMENT ON COLUMN attempt_cost.job_id IS 'The job.';
COMMENT ON COLUMN attempt_cost.attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN attempt_cost.cost_usd IS 'US dollars: seconds on the device times its price, or the price of an image times those it made; 0 if neither was used. NULL: unknown.';
COMMENT ON COLUMN attempt_cost.cost_unknown_reason IS 'Why cost_usd is NULL.';
COMMENT ON COLUMN attempt_cost.usd_per_hour IS 'US dollars per hour of the device, in force when it started; NULL: there was no price.';
COMMENT ON COLUMN attempt_cost.usd_per_image IS 'US dollars per image of the model, in force when it started; it goes before usd_per_hour. NULL: there was none.';
