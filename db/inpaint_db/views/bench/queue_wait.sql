-- How long attempts waited, by day. Retries count: each has waited.
CREATE VIEW bench.queue_wait AS
SELECT (a.started_at AT TIME ZONE 'UTC')::date AS day, r.name AS run, j.model, a.tier, count(*) AS attempts,
       avg(a.queue_wait_s) AS queue_wait_mean_s,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.queue_wait_s) AS queue_wait_p50_s,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY a.queue_wait_s) AS queue_wait_p90_s,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY a.queue_wait_s) AS queue_wait_p99_s,
       max(a.queue_wait_s) AS queue_wait_max_s,
       avg(a.gpu_wait_s) AS gpu_wait_mean_s,
       avg(a.inference_s) AS inference_mean_s
  FROM attempt a
  JOIN job j ON j.id = a.job_id
  LEFT JOIN trial t ON t.job_id = j.id
  LEFT JOIN run r ON r.id = t.run_id
 WHERE a.queue_wait_s IS NOT NULL
 GROUP BY (a.started_at AT TIME ZONE 'UTC')::date, r.name, j.model, a.tier;

COMMENT ON VIEW bench.queue_wait IS 'One row per day, run (or production), model and tier: how long attempts waited for a worker and for the device.';
COMMENT ON COLUMN bench.queue_wait.day IS 'Day on which the attempts started (UTC).';
COMMENT ON COLUMN bench.queue_wait.run IS 'Name of the run; NULL: production.';
COMMENT ON COLUMN bench.queue_wait.model IS 'Model card.';
COMMENT ON COLUMN bench.queue_wait.tier IS 'What the attempts ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.queue_wait.attempts IS 'How many attempts; a retry is one more.';
COMMENT ON COLUMN bench.queue_wait.queue_wait_mean_s IS 'Seconds between entering the queue and the attempt, mean.';
COMMENT ON COLUMN bench.queue_wait.queue_wait_p50_s IS 'The same, median.';
COMMENT ON COLUMN bench.queue_wait.queue_wait_p90_s IS 'The same, 90th percentile.';
COMMENT ON COLUMN bench.queue_wait.queue_wait_p99_s IS 'The same, 99th percentile.';
COMMENT ON COLUMN bench.queue_wait.queue_wait_max_s IS 'The same, longest.';
COMMENT ON COLUMN bench.queue_wait.gpu_wait_mean_s IS 'Seconds that attempts waited for the device, ready to run, mean.';
COMMENT ON COLUMN bench.queue_wait.inference_mean_s IS 'Seconds on the device, mean: what the waits compare with.';
