-- What each attempt took and cost, by the price in force when it started. Never stored, so a corrected price corrects
-- history.
CREATE VIEW attempt_report AS
SELECT a.job_id, a.number, a.status, a.started_at, a.first_after_load, a.tier, a.queue_wait_s, a.gpu_wait_s, a.inference_s,
       CASE WHEN a.tier = 'exact' THEN ''
            ELSE nullif(concat_ws(', ', 'step_cache=' || (a.parameters->>'step_cache'),
                                  'guidance_until=' || (a.parameters->>'guidance_until')), '') END AS tier_definition,
       a.peak_memory_bytes, a.peak_memory_kind, a.parameters, a.windows, e.device_kind, e.device_name, e.packages,
       per_image.usd_per_image, hourly.usd_per_hour,
       CASE
         WHEN a.status IN ('running', 'lost') THEN NULL
         -- An API is called once for each window of each output, which is one step; a failed attempt has paid for those
         -- it had.
         WHEN per_image.usd_per_image IS NOT NULL AND a.status = 'succeeded'
         THEN per_image.usd_per_image * greatest(1, jsonb_array_length(a.windows))
              * (SELECT j.outputs FROM job j WHERE j.id = a.job_id)
         WHEN per_image.usd_per_image IS NOT NULL AND e.device_kind = 'api'
         THEN per_image.usd_per_image * coalesce(a.steps_done, 0)
         WHEN per_image.usd_per_image IS NOT NULL OR a.inference_s IS NULL THEN 0
         ELSE a.inference_s * hourly.usd_per_hour / 3600
       END AS cost_usd,
       CASE
         WHEN a.status = 'running' THEN 'still running'
         WHEN a.status = 'lost' THEN 'the worker was lost before it told'
         WHEN per_image.usd_per_image IS NULL AND a.inference_s IS NOT NULL AND hourly.usd_per_hour IS NULL
         THEN 'no price for ' || CASE e.device_kind WHEN 'api' THEN 'an image of ' || w.model
                                                    ELSE e.device_kind || ' ' || e.device_name END
       END AS cost_unknown_reason
  FROM attempt a
  -- A worker serves one model. Its row is one of few, where the job's would be looked up for each attempt.
  JOIN worker w ON w.id = a.worker_id
  JOIN environment e ON e.id = a.environment_id
  LEFT JOIN image_price per_image
    ON per_image.model = w.model AND a.started_at >= per_image.valid_from AND a.started_at < per_image.valid_to
  LEFT JOIN device_price hourly
    ON hourly.device_kind = e.device_kind AND hourly.device_name = e.device_name
   AND a.started_at >= hourly.valid_from AND a.started_at < hourly.valid_to;

COMMENT ON VIEW attempt_report IS 'One row per attempt: where it ran, what it took, and its cost by the price in force when it started.';
COMMENT ON COLUMN attempt_report.job_id IS 'The job.';
COMMENT ON COLUMN attempt_report.number IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN attempt_report.status IS 'running, succeeded, failed, canceled, expired, released or lost.';
COMMENT ON COLUMN attempt_report.started_at IS 'When a worker took the job.';
COMMENT ON COLUMN attempt_report.first_after_load IS 'True: the first job of a freshly loaded worker, or the first there with a reference or a control image, whose weights it read.';
COMMENT ON COLUMN attempt_report.tier IS 'What it ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN attempt_report.tier_definition IS 'What that tier left out, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. NULL: not known, since it has not got so far.';
COMMENT ON COLUMN attempt_report.queue_wait_s IS 'Seconds between entering the queue and the attempt.';
COMMENT ON COLUMN attempt_report.gpu_wait_s IS 'Seconds it waited for the device, ready to run.';
COMMENT ON COLUMN attempt_report.inference_s IS 'Seconds on the device: what is paid for.';
COMMENT ON COLUMN attempt_report.peak_memory_bytes IS 'Most memory in use during inference; see peak_memory_kind.';
COMMENT ON COLUMN attempt_report.peak_memory_kind IS 'cuda_allocated, or process_rss on a CPU.';
COMMENT ON COLUMN attempt_report.parameters IS 'All parameters of the model as they ran.';
COMMENT ON COLUMN attempt_report.windows IS 'What the model saw: boxes of the source, and the size it painted them in, pixels.';
COMMENT ON COLUMN attempt_report.device_kind IS 'cpu, cuda or api.';
COMMENT ON COLUMN attempt_report.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN attempt_report.packages IS 'Versions of the libraries on the worker.';
COMMENT ON COLUMN attempt_report.usd_per_image IS 'US dollars per image of the model, in force when it started; it goes before usd_per_hour. NULL: there was none.';
COMMENT ON COLUMN attempt_report.usd_per_hour IS 'US dollars per hour of the device, in force when it started; NULL: there was no price.';
COMMENT ON COLUMN attempt_report.cost_usd IS 'US dollars: seconds on the device times its price, or the price of an image times those it made; 0 if neither was used. NULL: unknown.';
COMMENT ON COLUMN attempt_report.cost_unknown_reason IS 'Why cost_usd is NULL.';
