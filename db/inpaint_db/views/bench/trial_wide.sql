-- One row per trial with all that is known of it. Each measure is looked up on its own, so that a query pays only for
-- the columns that it names, and after ORDER BY ... LIMIT only for the rows that are left.
CREATE VIEW bench.trial_wide AS
SELECT t.id AS trial_id, t.run_id, r.name AS run, r.created_at AS run_created_at, d.dataset,
       d.version AS dataset_version, t.sample_id, s.name AS sample, s.tags AS sample_tags, s.coverage,
       t.model, m.card->>'review_name' AS review_name, h.label AS model_version,
       coalesce(a.tier, r.tier) AS tier,
       CASE WHEN coalesce(a.tier, r.tier) = 'exact' THEN '' ELSE a.tier_definition END AS tier_definition,
       t.number AS trial, t.seed, t.imported_at IS NOT NULL AS imported,
       coalesce(t.made_on, CASE WHEN j.status = 'succeeded' THEN (j.finished_at AT TIME ZONE 'UTC')::date END)
         AS made_on,
       CASE WHEN t.imported_at IS NOT NULL THEN 'succeeded' ELSE coalesce(j.status, 'planned') END AS status,
       a.first_after_load AS cold, j.attempt AS attempts, a.queue_wait_s, a.gpu_wait_s,
       coalesce(t.inference_s, a.inference_s) AS inference_s,
       extract(epoch FROM j.finished_at - j.submitted_at)::float8 AS total_s,
       CASE WHEN t.imported_at IS NOT NULL THEN t.cost_usd
            -- Few have more than one attempt.
            WHEN j.attempt > 1 THEN (SELECT sum(c.cost_usd) FROM attempt_cost c WHERE c.job_id = t.job_id)
            ELSE a.cost_usd END AS cost_usd,
       CASE WHEN t.imported_at IS NOT NULL THEN CASE WHEN t.cost_usd IS NULL THEN 'not told by the import' END
            WHEN a.job_id IS NULL THEN 'never ran'
            WHEN j.attempt > 1 THEN (SELECT string_agg(DISTINCT c.cost_unknown_reason, '; ') FROM attempt_cost c
                                      WHERE c.job_id = t.job_id)
            ELSE a.cost_unknown_reason END AS cost_unknown_reason,
       CASE WHEN a.usd_per_image IS NULL THEN a.usd_per_hour END AS usd_per_hour, a.usd_per_image,
       coalesce(t.peak_memory_bytes, a.peak_memory_bytes) AS peak_memory_bytes, a.peak_memory_kind,
       a.device_kind, coalesce(t.device_name, a.device_name) AS device_name,
       a.packages->>'torch' AS torch_version, a.packages->>'diffusers' AS diffusers_version,
       s.width AS source_width, s.height AS source_height,
       -- Most have one window.
       CASE jsonb_array_length(a.windows)
         WHEN 1 THEN (a.windows #>> '{0,size,0}')::int8 * (a.windows #>> '{0,size,1}')::int8
         ELSE (SELECT sum((w #>> '{size,0}')::int8 * (w #>> '{size,1}')::int8) FROM jsonb_array_elements(a.windows) w)
       END::int8 AS painted_pixels,
       jsonb_array_length(a.windows) AS windows, (a.parameters->>'steps')::float8::int4 AS steps,
       (a.parameters->>'network_passes_computed')::float8 / nullif((a.parameters->>'network_passes')::float8, 0)
         AS computed_share,
       j.error_code, t.job_id, j.finished_at,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_exact'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_exact' AND k.current))
         AS raw_outside_exact,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_mse'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_mse' AND k.current))
         AS raw_outside_mse,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_psnr'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_psnr' AND k.current))
         AS raw_outside_psnr,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_ssim' AND k.current))
         AS raw_outside_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_max_difference'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_max_difference' AND k.current))
         AS raw_outside_max_difference,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_changed_share'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_changed_share' AND k.current))
         AS raw_outside_changed_share,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'raw_outside_delta_e'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_delta_e' AND k.current))
         AS raw_outside_delta_e,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_exact'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_exact' AND k.current))
         AS outside_exact,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_mse'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_mse' AND k.current))
         AS outside_mse,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_psnr'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_psnr' AND k.current))
         AS outside_psnr,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_ssim' AND k.current))
         AS outside_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_max_difference'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_max_difference' AND k.current))
         AS outside_max_difference,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_changed_share'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_changed_share' AND k.current))
         AS outside_changed_share,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_delta_e'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_delta_e' AND k.current))
         AS outside_delta_e,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'seam_ratio'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'seam_ratio' AND k.current))
         AS seam_ratio,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_flatness'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_flatness' AND k.current))
         AS inside_flatness,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_sharpness_ratio'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_sharpness_ratio' AND k.current))
         AS inside_sharpness_ratio,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_source_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_source_ssim' AND k.current))
         AS inside_source_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_change_mean'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_change_mean' AND k.current))
         AS inside_change_mean,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_blank'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_blank' AND k.current))
         AS inside_blank,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_deviation'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_deviation' AND k.current))
         AS inside_deviation,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_object_psnr'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_object_psnr' AND k.current))
         AS truth_object_psnr,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_object_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_object_ssim' AND k.current))
         AS truth_object_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_object_delta_e'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_object_delta_e' AND k.current))
         AS truth_object_delta_e,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_effect_psnr'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_psnr' AND k.current))
         AS truth_effect_psnr,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_effect_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_ssim' AND k.current))
         AS truth_effect_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_effect_delta_e'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_delta_e' AND k.current))
         AS truth_effect_delta_e,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'exact_psnr'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'exact_psnr' AND k.current))
         AS exact_psnr,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'exact_ssim'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'exact_ssim' AND k.current))
         AS exact_ssim,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'exact_delta_e'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'exact_delta_e' AND k.current))
         AS exact_delta_e,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'outside_lpips'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'outside_lpips' AND k.current))
         AS outside_lpips,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'truth_effect_lpips'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_lpips' AND k.current))
         AS truth_effect_lpips,
       (SELECT v.value FROM measure v WHERE v.trial_id = t.id AND v.metric = 'inside_clip_score'
           AND v.version = (SELECT k.version FROM metric k WHERE k.name = 'inside_clip_score' AND k.current))
         AS inside_clip_score
  FROM trial t
  JOIN run r ON r.id = t.run_id
  JOIN dataset_version d ON d.id = r.dataset_version_id
  JOIN sample s ON s.id = t.sample_id
  JOIN model m ON m.name = t.model
  LEFT JOIN model_version h ON h.id = t.model_version_id
  LEFT JOIN job j ON j.id = t.job_id
  LEFT JOIN attempt_report a ON a.job_id = j.id AND a.number = j.attempt;

COMMENT ON VIEW bench.trial_wide IS 'One row per trial of a benchmark run, measured or not, with all that is known of it.';
COMMENT ON COLUMN bench.trial_wide.trial_id IS 'Id of the trial.';
COMMENT ON COLUMN bench.trial_wide.run_id IS 'Id of the run.';
COMMENT ON COLUMN bench.trial_wide.run IS 'Name of the run.';
COMMENT ON COLUMN bench.trial_wide.run_created_at IS 'When the run was planned.';
COMMENT ON COLUMN bench.trial_wide.dataset IS 'Name of the dataset.';
COMMENT ON COLUMN bench.trial_wide.dataset_version IS 'Version of the dataset; versions never change.';
COMMENT ON COLUMN bench.trial_wide.sample_id IS 'Id of the sample.';
COMMENT ON COLUMN bench.trial_wide.sample IS 'Name of the sample in its dataset.';
COMMENT ON COLUMN bench.trial_wide.sample_tags IS 'Labels of the sample, as its dataset gives them.';
COMMENT ON COLUMN bench.trial_wide.coverage IS 'Share of the source that the mask marks, 0 to 1.';
COMMENT ON COLUMN bench.trial_wide.model IS 'Model card.';
COMMENT ON COLUMN bench.trial_wide.review_name IS 'What the published review of nine models calls it; NULL: it is not one of them.';
COMMENT ON COLUMN bench.trial_wide.model_version IS 'Commits of its weights and number format, or what a vendor was asked for; NULL: not known, or not yet noted.';
COMMENT ON COLUMN bench.trial_wide.tier IS 'What it ran in: exact, or fast or turbo, which leave work out; before it has run, what the run asks for.';
COMMENT ON COLUMN bench.trial_wide.tier_definition IS 'What that tier left out when it ran, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. NULL: it has not run, or an import did not tell.';
COMMENT ON COLUMN bench.trial_wide.trial IS 'Number of the trial, from 1: which of the run''s seeds.';
COMMENT ON COLUMN bench.trial_wide.seed IS 'Seed that was asked for.';
COMMENT ON COLUMN bench.trial_wide.imported IS 'True: made elsewhere, and read from files.';
COMMENT ON COLUMN bench.trial_wide.made_on IS 'Day on which the result was made (UTC); NULL: there is none, or an import did not tell.';
COMMENT ON COLUMN bench.trial_wide.status IS 'planned (no job yet), queued, running, succeeded, failed, canceled or expired. Imported ones have succeeded.';
COMMENT ON COLUMN bench.trial_wide.cold IS 'True: the first job of a freshly loaded worker, and slower for that. NULL: never ran here.';
COMMENT ON COLUMN bench.trial_wide.attempts IS 'How many attempts were opened. Seconds, memory and device are of the newest.';
COMMENT ON COLUMN bench.trial_wide.queue_wait_s IS 'Seconds between entering the queue and the attempt.';
COMMENT ON COLUMN bench.trial_wide.gpu_wait_s IS 'Seconds that it waited for the device, ready to run.';
COMMENT ON COLUMN bench.trial_wide.inference_s IS 'Seconds on the device: what is paid for.';
COMMENT ON COLUMN bench.trial_wide.total_s IS 'Seconds from submission to the final status.';
COMMENT ON COLUMN bench.trial_wide.cost_usd IS 'US dollars of all attempts whose cost is known, by the price in force when each started; NULL if none is.';
COMMENT ON COLUMN bench.trial_wide.cost_unknown_reason IS 'Why the cost of some attempt, or of all, is unknown; NULL: cost_usd is complete.';
COMMENT ON COLUMN bench.trial_wide.usd_per_hour IS 'US dollars per hour of the device, in force when the newest attempt started; NULL: paid per image, or there was no price.';
COMMENT ON COLUMN bench.trial_wide.usd_per_image IS 'US dollars per image of an API, in force when the newest attempt started; NULL: paid per hour, or there was no price.';
COMMENT ON COLUMN bench.trial_wide.peak_memory_bytes IS 'Most memory in use during inference, bytes; see peak_memory_kind.';
COMMENT ON COLUMN bench.trial_wide.peak_memory_kind IS 'cuda_allocated, or process_rss on a CPU; NULL: an import did not tell.';
COMMENT ON COLUMN bench.trial_wide.device_kind IS 'cpu, cuda or api; NULL: never ran here.';
COMMENT ON COLUMN bench.trial_wide.device_name IS 'Name of the CPU or GPU.';
COMMENT ON COLUMN bench.trial_wide.torch_version IS 'Version of torch on the worker.';
COMMENT ON COLUMN bench.trial_wide.diffusers_version IS 'Version of diffusers on the worker.';
COMMENT ON COLUMN bench.trial_wide.source_width IS 'Width of the source, pixels.';
COMMENT ON COLUMN bench.trial_wide.source_height IS 'Height of the source, pixels.';
COMMENT ON COLUMN bench.trial_wide.painted_pixels IS 'Pixels that the model painted: of all windows, in the size it was shown them in.';
COMMENT ON COLUMN bench.trial_wide.windows IS 'How many windows the model was shown, one after the other.';
COMMENT ON COLUMN bench.trial_wide.steps IS 'Denoising steps; NULL: the model has none.';
COMMENT ON COLUMN bench.trial_wide.computed_share IS 'Of a tier other than exact: share of the passes through the network that were computed, 0 to 1; NULL: nothing was left out, or it is not counted.';
COMMENT ON COLUMN bench.trial_wide.error_code IS 'Stable code of the newest error.';
COMMENT ON COLUMN bench.trial_wide.job_id IS 'Its job; NULL: planned, or imported.';
COMMENT ON COLUMN bench.trial_wide.finished_at IS 'When the job reached a final status.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_exact IS 'Whether no pixel outside the mask in what the model itself returned has changed; 1 or 0, more is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_mse IS 'Mean squared difference over pixels and channels outside the mask in what the model itself returned; levels², less is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_psnr IS 'Peak signal-to-noise ratio outside the mask in what the model itself returned, of 255 levels; no value if nothing has changed; dB, more is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_ssim IS 'Mean structural similarity outside the mask in what the model itself returned, of windows that lie wholly there; SSIM, more is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_max_difference IS 'The largest change of any channel of any pixel outside the mask in what the model itself returned; levels of 0 to 255, less is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_changed_share IS 'Share of the pixels outside the mask in what the model itself returned that have changed at all; 0 to 1, less is better.';
COMMENT ON COLUMN bench.trial_wide.raw_outside_delta_e IS 'Mean CIEDE2000 colour difference outside the mask in what the model itself returned; ΔE00, less is better.';
COMMENT ON COLUMN bench.trial_wide.outside_exact IS 'Whether no pixel outside the edit region in the delivered picture has changed; 1 or 0, more is better.';
COMMENT ON COLUMN bench.trial_wide.outside_mse IS 'Mean squared difference over pixels and channels outside the edit region in the delivered picture; levels², less is better.';
COMMENT ON COLUMN bench.trial_wide.outside_psnr IS 'Peak signal-to-noise ratio outside the edit region in the delivered picture, of 255 levels; no value if nothing has changed; dB, more is better.';
COMMENT ON COLUMN bench.trial_wide.outside_ssim IS 'Mean structural similarity outside the edit region in the delivered picture, of windows that lie wholly there; SSIM, more is better.';
COMMENT ON COLUMN bench.trial_wide.outside_max_difference IS 'The largest change of any channel of any pixel outside the edit region in the delivered picture; levels of 0 to 255, less is better.';
COMMENT ON COLUMN bench.trial_wide.outside_changed_share IS 'Share of the pixels outside the edit region in the delivered picture that have changed at all; 0 to 1, less is better.';
COMMENT ON COLUMN bench.trial_wide.outside_delta_e IS 'Mean CIEDE2000 colour difference outside the edit region in the delivered picture; ΔE00, less is better.';
COMMENT ON COLUMN bench.trial_wide.seam_ratio IS 'Mean step across the border of the edit region beside that in rings just inside and outside; 1: invisible; ratio, less is better.';
COMMENT ON COLUMN bench.trial_wide.inside_flatness IS 'Share of the pixels inside the edit region whose 7 x 7 neighbours deviate by less than a level: paint without texture; 0 to 1, neither is better.';
COMMENT ON COLUMN bench.trial_wide.inside_sharpness_ratio IS 'Variance of the Laplacian inside the edit region divided by that outside; 1: as sharp as the rest of the picture; ratio, neither is better.';
COMMENT ON COLUMN bench.trial_wide.inside_source_ssim IS 'Structural similarity to the source inside the edit region; 1: nothing was done; SSIM, neither is better.';
COMMENT ON COLUMN bench.trial_wide.inside_change_mean IS 'Mean absolute change inside the edit region; 0: nothing was done; levels of 0 to 255, neither is better.';
COMMENT ON COLUMN bench.trial_wide.inside_blank IS 'Whether no channel deviates inside the edit region by two levels: black, grey or one colour; 1 or 0, less is better.';
COMMENT ON COLUMN bench.trial_wide.inside_deviation IS 'Standard deviation of brightness inside the edit region; near 0: it is blank; levels of 0 to 255, neither is better.';
COMMENT ON COLUMN bench.trial_wide.truth_object_psnr IS 'Peak signal-to-noise ratio to the ground truth in the object mask; no value if they are the same; dB, more is better.';
COMMENT ON COLUMN bench.trial_wide.truth_object_ssim IS 'Mean structural similarity to the ground truth in the object mask; SSIM, more is better.';
COMMENT ON COLUMN bench.trial_wide.truth_object_delta_e IS 'Mean CIEDE2000 colour difference to the ground truth in the object mask; ΔE00, less is better.';
COMMENT ON COLUMN bench.trial_wide.truth_effect_psnr IS 'Peak signal-to-noise ratio to the ground truth in the effect mask, or in the mask of a sample without one; no value if they are the same; dB, more is better.';
COMMENT ON COLUMN bench.trial_wide.truth_effect_ssim IS 'Mean structural similarity to the ground truth in the effect mask, or in the mask of a sample without one; SSIM, more is better.';
COMMENT ON COLUMN bench.trial_wide.truth_effect_delta_e IS 'Mean CIEDE2000 colour difference to the ground truth in the effect mask, or in the mask of a sample without one; ΔE00, less is better.';
COMMENT ON COLUMN bench.trial_wide.exact_psnr IS 'Of a tier other than exact: peak signal-to-noise ratio in the edit region to the same made in exact, dB, more is better; NULL: it is the same, exact itself, or not made in exact.';
COMMENT ON COLUMN bench.trial_wide.exact_ssim IS 'Of a tier other than exact: structural similarity in the edit region to the same made in exact, more is better.';
COMMENT ON COLUMN bench.trial_wide.exact_delta_e IS 'Of a tier other than exact: colour difference in the edit region to the same made in exact, CIEDE2000, less is better.';
COMMENT ON COLUMN bench.trial_wide.outside_lpips IS 'LPIPS (AlexNet) of the delivered picture to the source, the region left out; LPIPS, less is better.';
COMMENT ON COLUMN bench.trial_wide.truth_effect_lpips IS 'LPIPS (AlexNet) to the ground truth in the box around the effect mask; LPIPS, less is better.';
COMMENT ON COLUMN bench.trial_wide.inside_clip_score IS 'CLIP score (ViT-L/14) of a square around the edit region, and the prompt; points, more is better.';
