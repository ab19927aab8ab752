-- One row per job, with the seconds and the output of its newest attempt, and the cost of all attempts together.
CREATE VIEW job_report AS
SELECT j.id, j.model, j.status, j.campaign, j.priority, j.submitted_at, j.started_at, j.finished_at,
       j.attempt AS attempts, a.queue_wait_s, a.fetch_s, a.prepare_s, a.gpu_wait_s, a.inference_s, a.composite_s,
       a.encode_s, a.store_s,
       extract(epoch FROM j.finished_at - j.submitted_at)::float8 AS total_s,
       a.first_after_load, a.peak_memory_bytes, a.peak_memory_kind,
       c.cost_usd,
       CASE WHEN a.job_id IS NULL THEN 'never ran' ELSE c.cost_unknown_reason END AS cost_unknown_reason,
       e.device_kind, e.device_name,
       w.host AS worker_host, s.width, s.height,
       CASE WHEN NOT j.edit ?| array['polarity', 'threshold']
            THEN m.masked_pixels::float8 / nullif(m.width::float8 * m.height, 0) END AS masked_share,
       a.region_pixels::float8 / nullif(o.width::float8 * o.height, 0) AS region_share,
       o.uri AS output_uri, o.format AS output_format, o.size_bytes AS output_bytes, o.exact,
       o.outside_changed_pixels, o.raw_outside_mean, o.raw_outside_max, o.raw_outside_changed_share,
       o.inside_change_mean, o.inside_deviation, o.seam_step, o.ring_step, j.edit, j.outputs,
       coalesce(a.tier, j.tier) AS tier,
       j.reference_uri IS NOT NULL AS with_reference, j.control_type, a.windows, a.normalised, a.warnings,
       j.error_code, j.error_message,
       CASE WHEN j.status = 'queued' AND j.not_before <= now() AND NOT EXISTS (
                 SELECT 1 FROM worker l WHERE l.model = j.model AND l.state IN ('loading', 'ready')
                    AND l.seen_at > now() - interval '30 seconds')
            THEN 'no worker for ' || j.model || coalesce(' since ' || to_char(
                 (SELECT max(l.seen_at) FROM worker l WHERE l.model = j.model) AT TIME ZONE 'UTC',
                 'YYYY-MM-DD HH24:MI:SS "UTC"'), ' has ever run')
            WHEN j.status = 'queued' AND j.not_before > now() THEN 'pause before a retry'
       END AS waiting_for
  FROM job j
  LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN environment e ON e.id = a.environment_id
  LEFT JOIN worker w ON w.id = a.worker_id
  LEFT JOIN image s ON s.sha256 = j.source_sha256
  LEFT JOIN image m ON m.sha256 = j.mask_sha256
  LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
  LEFT JOIN LATERAL (
        SELECT sum(k.cost_usd) AS cost_usd,
               string_agg(DISTINCT k.cost_unknown_reason, '; ') AS cost_unknown_reason
          FROM attempt_cost k WHERE k.job_id = j.id) c ON true;

COMMENT ON VIEW job_report IS 'One row per job: status, seconds by phase, memory, cost, output.';
COMMENT ON COLUMN job_report.id IS 'Job id; also the Celery task id.';
COMMENT ON COLUMN job_report.model IS 'Model card that the job asked for.';
COMMENT ON COLUMN job_report.status IS 'queued, running, succeeded, failed, canceled or expired.';
COMMENT ON COLUMN job_report.campaign IS 'Label that its producer gave.';
COMMENT ON COLUMN job_report.priority IS 'low, normal or high.';
COMMENT ON COLUMN job_report.submitted_at IS 'When the producer inserted it.';
COMMENT ON COLUMN job_report.started_at IS 'Start of the newest attempt.';
COMMENT ON COLUMN job_report.finished_at IS 'When it reached a final status.';
COMMENT ON COLUMN job_report.attempts IS 'How many attempts were opened.';
COMMENT ON COLUMN job_report.queue_wait_s IS 'Seconds between entering the queue and the newest attempt.';
COMMENT ON COLUMN job_report.fetch_s IS 'Seconds to read source and mask from the object store.';
COMMENT ON COLUMN job_report.prepare_s IS 'Seconds to decode and prepare them.';
COMMENT ON COLUMN job_report.gpu_wait_s IS 'Seconds it waited for the device, ready to run.';
COMMENT ON COLUMN job_report.inference_s IS 'Seconds on the device: what is paid for.';
COMMENT ON COLUMN job_report.composite_s IS 'Seconds to put the repainted area back into the source.';
COMMENT ON COLUMN job_report.encode_s IS 'Seconds to encode the output.';
COMMENT ON COLUMN job_report.store_s IS 'Seconds to store the output.';
COMMENT ON COLUMN job_report.total_s IS 'Seconds from submission to the final status.';
COMMENT ON COLUMN job_report.first_after_load IS 'True: the first job of a freshly loaded worker, or the first there with a reference or a control image, whose weights it read.';
COMMENT ON COLUMN job_report.peak_memory_bytes IS 'Most memory in use during inference; see peak_memory_kind.';
COMMENT ON COLUMN job_report.peak_memory_kind IS 'cuda_allocated, or process_rss on a CPU.';
COMMENT ON COLUMN job_report.cost_usd IS 'US dollars of all attempts whose cost is known; NULL if none is.';
COMMENT ON COLUMN job_report.cost_unknown_reason IS 'Why the cost of some attempt, or of all, is unknown; NULL: cost_usd is complete.';
COMMENT ON COLUMN job_report.device_kind IS 'cpu, cuda or api.';
COMMENT ON COLUMN job_report.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN job_report.worker_host IS 'Machine of the newest attempt.';
COMMENT ON COLUMN job_report.width IS 'Width of the source, pixels.';
COMMENT ON COLUMN job_report.height IS 'Height of the source, pixels.';
COMMENT ON COLUMN job_report.masked_share IS 'Share of the source that the picture of the mask marks, 0 to 1; NULL: there is none, or it is not read as white.';
COMMENT ON COLUMN job_report.region_share IS 'Share of the source that the job might change, 0 to 1: the edit region, after all options of the mask.';
COMMENT ON COLUMN job_report.output_uri IS 's3:// address of the result.';
COMMENT ON COLUMN job_report.output_format IS 'PNG, JPEG, WEBP or AVIF.';
COMMENT ON COLUMN job_report.output_bytes IS 'Size of the result.';
COMMENT ON COLUMN job_report.exact IS 'True: the result is stored without loss, and every pixel outside the edit region is the source''s. False: its format loses a little everywhere.';
COMMENT ON COLUMN job_report.outside_changed_pixels IS 'Pixels outside the edit region in which the stored result, decoded again, differs from the decoded source. Always 0 if exact.';
COMMENT ON COLUMN job_report.raw_outside_mean IS 'What the model itself changed outside the mask, before the fleet put the source back: mean difference, levels of 0 to 255.';
COMMENT ON COLUMN job_report.raw_outside_max IS 'The same: largest difference, levels of 0 to 255.';
COMMENT ON COLUMN job_report.raw_outside_changed_share IS 'The same: share of the pixels outside the mask that the model changed at all, 0 to 1.';
COMMENT ON COLUMN job_report.inside_change_mean IS 'Mean difference between result and source in the edit region, levels of 0 to 255; in the colours of the picture; near 0: it did nothing.';
COMMENT ON COLUMN job_report.inside_deviation IS 'Standard deviation of brightness in the edit region, levels of 0 to 255; near 0: it is blank.';
COMMENT ON COLUMN job_report.seam_step IS 'Mean step between neighbouring pixels across the border of the edit region, levels of 0 to 255 in the colours of the picture.';
COMMENT ON COLUMN job_report.ring_step IS 'Mean step between neighbouring pixels just outside that border, levels of 0 to 255: a seam_step well above it is visible.';
COMMENT ON COLUMN job_report.edit IS 'Options of mask, fit and output that differ from the defaults.';
COMMENT ON COLUMN job_report.outputs IS 'Variants that were asked for, each of a seed of its own. Seconds and cost are of all of them; the columns of the output are of the first.';
COMMENT ON COLUMN job_report.tier IS 'What its newest attempt ran in: exact, or fast or turbo, which leave work out; before one, what it asks for. NULL: it is left to its worker.';
COMMENT ON COLUMN job_report.with_reference IS 'True: a reference image showed what belongs into the region.';
COMMENT ON COLUMN job_report.control_type IS 'What the control image showed: canny, depth, ...; NULL: there was none.';
COMMENT ON COLUMN job_report.windows IS 'What the model saw: boxes of the source, and the size it painted them in, pixels.';
COMMENT ON COLUMN job_report.normalised IS 'What reading the source changed (orientation, colours, depth): before and after.';
COMMENT ON COLUMN job_report.warnings IS 'What is allowed and may still be a mistake.';
COMMENT ON COLUMN job_report.error_code IS 'Stable code of the newest error.';
COMMENT ON COLUMN job_report.error_message IS 'What was wrong, what was found, what to do.';
COMMENT ON COLUMN job_report.waiting_for IS 'Why a queued job does not start, as far as the database can tell.';
