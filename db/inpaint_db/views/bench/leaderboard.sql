-- One row per run and model. Measures are averaged over the trials of a sample first, then over samples, so that a
-- sample with more results than others counts no more.
CREATE VIEW bench.leaderboard AS
SELECT g.run_id, g.run, g.run_created_at, g.dataset, g.dataset_version, g.model, g.review_name, g.model_version,
       g.tier, g.tier_definition, g.imported, g.trials, g.succeeded, g.failed, g.samples, g.warm_trials, g.warm_median_s,
       g.warm_mean_s, g.warm_p95_s, g.cold_s, g.cost_per_1k_usd, g.cost_unknown_reason, g.peak_memory_gb, g.steps, g.painted_pixels,
       g.device, g.computed_share,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'raw_outside_delta_e' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_delta_e' AND k.current)
                GROUP BY v.sample_id) s) AS raw_outside_delta_e,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'raw_outside_psnr' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'raw_outside_psnr' AND k.current)
                GROUP BY v.sample_id) s) AS raw_outside_psnr,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'seam_ratio' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'seam_ratio' AND k.current)
                GROUP BY v.sample_id) s) AS seam_ratio,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_effect_psnr' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_psnr' AND k.current)
                GROUP BY v.sample_id) s) AS truth_effect_psnr,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_effect_ssim' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_ssim' AND k.current)
                GROUP BY v.sample_id) s) AS truth_effect_ssim,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_effect_delta_e' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_effect_delta_e' AND k.current)
                GROUP BY v.sample_id) s) AS truth_effect_delta_e,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_object_psnr' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_object_psnr' AND k.current)
                GROUP BY v.sample_id) s) AS truth_object_psnr,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_object_ssim' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_object_ssim' AND k.current)
                GROUP BY v.sample_id) s) AS truth_object_ssim,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'truth_object_delta_e' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'truth_object_delta_e' AND k.current)
                GROUP BY v.sample_id) s) AS truth_object_delta_e,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'inside_source_ssim' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'inside_source_ssim' AND k.current)
                GROUP BY v.sample_id) s) AS inside_source_ssim,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'inside_blank' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'inside_blank' AND k.current)
                GROUP BY v.sample_id) s) AS blank_share,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'trials_delta_e_mean' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'trials_delta_e_mean' AND k.current)
                GROUP BY v.sample_id) s) AS trials_delta_e_mean,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'trials_ssim_mean' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'trials_ssim_mean' AND k.current)
                GROUP BY v.sample_id) s) AS trials_ssim_mean,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'exact_psnr' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'exact_psnr' AND k.current)
                GROUP BY v.sample_id) s) AS exact_psnr,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'exact_ssim' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'exact_ssim' AND k.current)
                GROUP BY v.sample_id) s) AS exact_ssim,
       (SELECT avg(s.value) FROM (
               SELECT avg(v.value) AS value FROM measure v
                WHERE v.run_id = g.run_id AND v.model = g.model AND v.metric = 'exact_delta_e' AND v.version =
                      (SELECT k.version FROM metric k WHERE k.name = 'exact_delta_e' AND k.current)
                GROUP BY v.sample_id) s) AS exact_delta_e,
       (g.people->'stars'->>'realism')::float8 AS realism_stars,
       (g.people->'stars'->>'adaptability')::float8 AS adaptability_stars,
       (g.people->'stars'->>'consistency')::float8 AS consistency_stars,
       (g.people->'stars'->>'preservation')::float8 AS preservation_stars,
       (g.people->'stars'->>'reproducibility')::float8 AS reproducibility_stars,
       (g.people->>'raters')::int8 AS raters, (g.people->>'raters_failing')::int8 AS raters_failing,
       g.people->>'rubrics' AS rubrics
  FROM (SELECT w.run_id, w.run, min(w.run_created_at) AS run_created_at, min(w.dataset) AS dataset,
               min(w.dataset_version) AS dataset_version, w.model, min(w.review_name) AS review_name,
               string_agg(DISTINCT w.model_version, ' | ') AS model_version, string_agg(DISTINCT w.tier, ' | ') AS tier,
               string_agg(DISTINCT w.tier_definition, ' | ') AS tier_definition,
               bool_or(w.imported) AS imported,
               count(*) AS trials,
               count(*) FILTER (WHERE w.status = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE w.status IN ('failed', 'canceled', 'expired')) AS failed,
               count(DISTINCT w.sample_id) AS samples,
               count(w.inference_s) FILTER (WHERE w.status = 'succeeded' AND w.cold IS NOT true) AS warm_trials,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY w.inference_s)
                 FILTER (WHERE w.status = 'succeeded' AND w.cold IS NOT true) AS warm_median_s,
               avg(w.inference_s) FILTER (WHERE w.status = 'succeeded' AND w.cold IS NOT true) AS warm_mean_s,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY w.inference_s)
                 FILTER (WHERE w.status = 'succeeded' AND w.cold IS NOT true) AS warm_p95_s,
               avg(w.inference_s) FILTER (WHERE w.status = 'succeeded' AND w.cold) AS cold_s,
               -- A mean over those alone whose price is known could be that of the cheap ones.
               CASE WHEN bool_and(w.cost_usd IS NOT NULL) FILTER (WHERE w.status = 'succeeded')
                    THEN 1000 * avg(w.cost_usd) FILTER (WHERE w.status = 'succeeded') END AS cost_per_1k_usd,
               CASE WHEN count(*) FILTER (WHERE w.status = 'succeeded') = 0 THEN 'none has succeeded'
                    ELSE string_agg(DISTINCT w.cost_unknown_reason, '; ') FILTER (WHERE w.status = 'succeeded')
               END AS cost_unknown_reason,
               max(w.peak_memory_bytes) / 1e9::float8 AS peak_memory_gb,
               mode() WITHIN GROUP (ORDER BY w.steps) AS steps,
               avg(w.painted_pixels)::float8 AS painted_pixels,
               string_agg(DISTINCT w.device_name, ' | ') AS device,
               avg(w.computed_share) FILTER (WHERE w.status = 'succeeded') AS computed_share,
               -- All at once, since going through the ratings is what takes long.
               (SELECT jsonb_build_object('stars', jsonb_object_agg(v.criterion, v.stars),
                                          'raters', max(v.raters), 'raters_failing', max(v.raters_failing),
                                          'rubrics', max(v.rubrics))
                  FROM bench.rating_summary v
                 WHERE v.run_id = w.run_id AND v.model = w.model AND NOT v.whole) AS people
          FROM bench.trial_wide w
         GROUP BY w.run_id, w.run, w.model) g;

COMMENT ON VIEW bench.leaderboard IS 'One row per run and model: what succeeded, seconds, dollars, memory, and means of the chief metrics, over trials of a sample first and then over samples.';
COMMENT ON COLUMN bench.leaderboard.run_id IS 'Id of the run.';
COMMENT ON COLUMN bench.leaderboard.run IS 'Name of the run.';
COMMENT ON COLUMN bench.leaderboard.run_created_at IS 'When the run was planned.';
COMMENT ON COLUMN bench.leaderboard.dataset IS 'Name of the dataset.';
COMMENT ON COLUMN bench.leaderboard.dataset_version IS 'Version of the dataset.';
COMMENT ON COLUMN bench.leaderboard.model IS 'Model card.';
COMMENT ON COLUMN bench.leaderboard.review_name IS 'What the published review of nine models calls it; NULL: it is not one of them.';
COMMENT ON COLUMN bench.leaderboard.model_version IS 'Commits of its weights and number format; several with | between them: the model was changed in the middle of the run.';
COMMENT ON COLUMN bench.leaderboard.tier IS 'What the trials ran in, one for a run: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.leaderboard.tier_definition IS 'What that tier left out, such as step_cache=0.08 or guidance_until=0.5, with a comma between what belongs together; several with | between them: it was changed in the middle of the run. Empty: nothing, as in exact. NULL: none has run, or imports did not tell.';
COMMENT ON COLUMN bench.leaderboard.imported IS 'True: results, or some of them, were made elsewhere and read from files.';
COMMENT ON COLUMN bench.leaderboard.trials IS 'Trials that were planned.';
COMMENT ON COLUMN bench.leaderboard.succeeded IS 'Trials that have a result.';
COMMENT ON COLUMN bench.leaderboard.failed IS 'Trials whose job failed, was canceled or expired. The rest are not finished.';
COMMENT ON COLUMN bench.leaderboard.samples IS 'Samples that were planned.';
COMMENT ON COLUMN bench.leaderboard.warm_trials IS 'Succeeded trials whose seconds are known, those that came first after loading left out.';
COMMENT ON COLUMN bench.leaderboard.warm_median_s IS 'Seconds on the device per image, median of the warm trials.';
COMMENT ON COLUMN bench.leaderboard.warm_mean_s IS 'The same, mean.';
COMMENT ON COLUMN bench.leaderboard.warm_p95_s IS 'The same, 95th percentile.';
COMMENT ON COLUMN bench.leaderboard.cold_s IS 'Seconds on the device of the succeeded trials that came first after loading, mean.';
COMMENT ON COLUMN bench.leaderboard.cost_per_1k_usd IS 'US dollars per 1,000 images: mean cost of the succeeded trials, with their retries, times 1,000. NULL: the cost of one of them is unknown.';
COMMENT ON COLUMN bench.leaderboard.cost_unknown_reason IS 'Why cost_per_1k_usd is NULL, or lacks attempts.';
COMMENT ON COLUMN bench.leaderboard.peak_memory_gb IS 'Most memory in use during inference of any trial, 10^9 bytes.';
COMMENT ON COLUMN bench.leaderboard.steps IS 'Denoising steps of most trials; NULL: the model has none.';
COMMENT ON COLUMN bench.leaderboard.painted_pixels IS 'Pixels that the model painted per image, mean.';
COMMENT ON COLUMN bench.leaderboard.device IS 'Name of the CPU or GPU; several with | between them.';
COMMENT ON COLUMN bench.leaderboard.computed_share IS 'Of a tier other than exact: share of the passes through the network that were computed, 0 to 1, mean; NULL: nothing was left out, or it is not counted.';
COMMENT ON COLUMN bench.leaderboard.raw_outside_delta_e IS 'What the model itself changed outside the mask: mean colour difference, CIEDE2000, less is better.';
COMMENT ON COLUMN bench.leaderboard.raw_outside_psnr IS 'The same as peak signal-to-noise ratio, dB, more is better; of those trials that changed anything.';
COMMENT ON COLUMN bench.leaderboard.seam_ratio IS 'Step across the border of the edit region beside that in rings around it; 1: invisible, less is better.';
COMMENT ON COLUMN bench.leaderboard.truth_effect_psnr IS 'Peak signal-to-noise ratio to the ground truth in the effect mask, or in the mask of a sample without one, dB, more is better.';
COMMENT ON COLUMN bench.leaderboard.truth_effect_ssim IS 'Structural similarity to the ground truth in the effect mask, or in the mask of a sample without one, more is better.';
COMMENT ON COLUMN bench.leaderboard.truth_effect_delta_e IS 'Colour difference to the ground truth in the effect mask, or in the mask of a sample without one, CIEDE2000, less is better.';
COMMENT ON COLUMN bench.leaderboard.truth_object_psnr IS 'Peak signal-to-noise ratio to the ground truth in the object mask, dB, more is better.';
COMMENT ON COLUMN bench.leaderboard.truth_object_ssim IS 'Structural similarity to the ground truth in the object mask, more is better.';
COMMENT ON COLUMN bench.leaderboard.truth_object_delta_e IS 'Colour difference to the ground truth in the object mask, CIEDE2000, less is better.';
COMMENT ON COLUMN bench.leaderboard.inside_source_ssim IS 'Structural similarity to the source in the edit region; 1: nothing was done.';
COMMENT ON COLUMN bench.leaderboard.blank_share IS 'Share of results that are of one colour in the edit region, 0 to 1.';
COMMENT ON COLUMN bench.leaderboard.trials_delta_e_mean IS 'Colour difference between two trials of a sample in the edit region, CIEDE2000, less is more stable.';
COMMENT ON COLUMN bench.leaderboard.trials_ssim_mean IS 'Structural similarity of two trials of a sample in the edit region, more is more stable.';
COMMENT ON COLUMN bench.leaderboard.exact_psnr IS 'Loss of a tier other than exact: peak signal-to-noise ratio in the edit region to the same made in exact, dB, more is better; of those that differ.';
COMMENT ON COLUMN bench.leaderboard.exact_ssim IS 'Loss of a tier other than exact: structural similarity in the edit region to the same made in exact, more is better; see bench.tier_loss.';
COMMENT ON COLUMN bench.leaderboard.exact_delta_e IS 'Loss of a tier other than exact: colour difference in the edit region to the same made in exact, CIEDE2000, less is better; see bench.tier_loss.';
COMMENT ON COLUMN bench.leaderboard.realism_stars IS 'Stars that people gave, 0 to 4: how natural and lifelike the region looks; see bench.rating_summary. NULL: nobody has.';
COMMENT ON COLUMN bench.leaderboard.adaptability_stars IS 'Stars that people gave, 0 to 4: how well it shows what the prompt asks for; see bench.rating_summary. NULL: nobody has.';
COMMENT ON COLUMN bench.leaderboard.consistency_stars IS 'Stars that people gave, 0 to 4: how well it fits the rest of the picture; see bench.rating_summary. NULL: nobody has.';
COMMENT ON COLUMN bench.leaderboard.preservation_stars IS 'Stars that people gave, 0 to 4: how well the rest of the picture was kept; see bench.rating_summary. NULL: nobody has.';
COMMENT ON COLUMN bench.leaderboard.reproducibility_stars IS 'Stars that people gave, 0 to 4: how alike its trials are; see bench.rating_summary. NULL: nobody has.';
COMMENT ON COLUMN bench.leaderboard.raters IS 'How many people gave stars by the criterion that most rated by; NULL: nobody.';
COMMENT ON COLUMN bench.leaderboard.raters_failing IS 'How many of them fail checks: see bench.raters.';
COMMENT ON COLUMN bench.leaderboard.rubrics IS 'Rubrics and versions by which the stars were given; several, with | between them, may not mean the same.';
