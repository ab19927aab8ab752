-- What quicker tiers lose: their results held against those of the tier exact that were made of the same. Over the trials
-- of a sample first, and then over samples.
CREATE VIEW bench.tier_loss AS
SELECT c.dataset, c.dataset_version, c.model, c.model_version, c.tier, c.tier_definition,
       sum(c.trials)::int8 AS trials, sum(c.compared)::int8 AS compared, sum(c.identical)::int8 AS identical,
       count(*) FILTER (WHERE c.compared > 0) AS samples, avg(c.computed_share) AS computed_share,
       avg(c.exact_psnr) AS exact_psnr, avg(c.exact_ssim) AS exact_ssim, avg(c.exact_delta_e) AS exact_delta_e,
       max(c.exact_delta_e_worst) AS exact_delta_e_worst,
       CASE WHEN bool_or(c.unmeasured) THEN 'not measured'
            WHEN sum(c.compared) < sum(c.trials) THEN coalesce(max(c.reason), 'not measured') END AS uncompared_reason
  FROM (SELECT d.dataset, d.version AS dataset_version, t.model, h.label AS model_version,
               coalesce(a.tier, r.tier) AS tier, a.tier_definition, count(*) AS trials, count(e.value) AS compared,
               count(*) FILTER (WHERE p.reason = 'identical') AS identical,
               avg(a.computed_share) AS computed_share,
               avg(p.value) AS exact_psnr, avg(s.value) AS exact_ssim, avg(e.value) AS exact_delta_e,
               max(e.value) AS exact_delta_e_worst, max(e.reason) AS reason,
               bool_or(e.trial_id IS NULL) AS unmeasured
          FROM trial t
          JOIN run r ON r.id = t.run_id
          JOIN dataset_version d ON d.id = r.dataset_version_id
          LEFT JOIN model_version h ON h.id = t.model_version_id
          LEFT JOIN job j ON j.id = t.job_id
          LEFT JOIN attempt_tier a ON a.job_id = j.id AND a.number = j.attempt
          LEFT JOIN current_measure p ON p.trial_id = t.id AND p.metric = 'exact_psnr'
          LEFT JOIN current_measure s ON s.trial_id = t.id AND s.metric = 'exact_ssim'
          LEFT JOIN current_measure e ON e.trial_id = t.id AND e.metric = 'exact_delta_e'
         WHERE coalesce(a.tier, r.tier) <> 'exact' AND (t.imported_at IS NOT NULL OR j.status = 'succeeded')
         GROUP BY d.dataset, d.version, t.model, h.label, coalesce(a.tier, r.tier), a.tier_definition, t.sample_id) c
 GROUP BY c.dataset, c.dataset_version, c.model, c.model_version, c.tier, c.tier_definition;

COMMENT ON VIEW bench.tier_loss IS 'One row per version of a dataset, version of a model, and tier other than exact with what it left out: how far its results are from those made of the same in the tier exact, in the edit region.';
COMMENT ON COLUMN bench.tier_loss.dataset IS 'Name of the dataset.';
COMMENT ON COLUMN bench.tier_loss.dataset_version IS 'Version of the dataset.';
COMMENT ON COLUMN bench.tier_loss.model IS 'Model card.';
COMMENT ON COLUMN bench.tier_loss.model_version IS 'Commits of its weights and number format; NULL: not known, or not yet noted.';
COMMENT ON COLUMN bench.tier_loss.tier IS 'fast or turbo.';
COMMENT ON COLUMN bench.tier_loss.tier_definition IS 'What that tier left out when they ran, such as step_cache=0.08 or guidance_until=0.5, with a comma between several. NULL: imports did not tell.';
COMMENT ON COLUMN bench.tier_loss.trials IS 'Trials of all runs that have a result.';
COMMENT ON COLUMN bench.tier_loss.compared IS 'Those of them that were held against one of the tier exact: same seed, parameters and options.';
COMMENT ON COLUMN bench.tier_loss.identical IS 'Those of them that are the same picture in the edit region.';
COMMENT ON COLUMN bench.tier_loss.samples IS 'Samples that those are of.';
COMMENT ON COLUMN bench.tier_loss.computed_share IS 'Share of the passes through the network that were computed, 0 to 1, mean; NULL: it is not counted.';
COMMENT ON COLUMN bench.tier_loss.exact_psnr IS 'Peak signal-to-noise ratio, dB, mean of those that differ; more is better.';
COMMENT ON COLUMN bench.tier_loss.exact_ssim IS 'Structural similarity, mean; more is better.';
COMMENT ON COLUMN bench.tier_loss.exact_delta_e IS 'Colour difference, CIEDE2000, mean; less is better.';
COMMENT ON COLUMN bench.tier_loss.exact_delta_e_worst IS 'The same of the trial that differs most.';
COMMENT ON COLUMN bench.tier_loss.uncompared_reason IS 'Why some trials are not compared: no_exact_trial, or not measured. NULL: all are.';
