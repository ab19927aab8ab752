-- One row per run, model and sample: how much its trials differ among themselves.
CREATE VIEW bench.reproducibility AS
SELECT g.*,
       (SELECT m.value FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_delta_e_mean')
         AS trials_delta_e_mean,
       (SELECT m.value FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_delta_e_worst')
         AS trials_delta_e_worst,
       (SELECT m.value FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_ssim_mean')
         AS trials_ssim_mean,
       (SELECT m.value FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_ssim_worst')
         AS trials_ssim_worst,
       (SELECT m.value = 1 FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_same_seed_identical')
         AS identical,
       (SELECT m.reason FROM current_measure m WHERE m.run_id = g.run_id AND m.model = g.model
           AND m.sample_id = g.sample_id AND m.trial_id IS NULL AND m.metric = 'trials_delta_e_mean')
         AS unmeasured_reason
  FROM (SELECT r.id AS run_id, r.name AS run, d.dataset, d.version AS dataset_version, t.model, r.tier,
               s.id AS sample_id, s.name AS sample,
               count(*) FILTER (WHERE t.imported_at IS NOT NULL OR j.status = 'succeeded') AS trials,
               count(DISTINCT t.seed) FILTER (WHERE t.imported_at IS NOT NULL OR j.status = 'succeeded') AS seeds
          FROM trial t
          JOIN run r ON r.id = t.run_id
          JOIN dataset_version d ON d.id = r.dataset_version_id
          JOIN sample s ON s.id = t.sample_id
          LEFT JOIN job j ON j.id = t.job_id
         GROUP BY r.id, d.id, t.model, s.id) g;

COMMENT ON VIEW bench.reproducibility IS 'One row per run, model and sample: how much its trials differ among themselves.';
COMMENT ON COLUMN bench.reproducibility.run_id IS 'Id of the run.';
COMMENT ON COLUMN bench.reproducibility.run IS 'Name of the run.';
COMMENT ON COLUMN bench.reproducibility.dataset IS 'Name of the dataset.';
COMMENT ON COLUMN bench.reproducibility.dataset_version IS 'Version of the dataset.';
COMMENT ON COLUMN bench.reproducibility.model IS 'Model card.';
COMMENT ON COLUMN bench.reproducibility.tier IS 'What the trials ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.reproducibility.sample_id IS 'Id of the sample.';
COMMENT ON COLUMN bench.reproducibility.sample IS 'Name of the sample.';
COMMENT ON COLUMN bench.reproducibility.trials IS 'Trials that have a result.';
COMMENT ON COLUMN bench.reproducibility.seeds IS 'Different seeds among them.';
COMMENT ON COLUMN bench.reproducibility.trials_delta_e_mean IS 'Colour difference of two trials in the edit region, CIEDE2000, mean of all pairs; less is more stable.';
COMMENT ON COLUMN bench.reproducibility.trials_delta_e_worst IS 'The same of the pair that differs most.';
COMMENT ON COLUMN bench.reproducibility.trials_ssim_mean IS 'Structural similarity of two trials in the edit region, mean of all pairs; more is more stable.';
COMMENT ON COLUMN bench.reproducibility.trials_ssim_worst IS 'The same of the pair that is least alike.';
COMMENT ON COLUMN bench.reproducibility.identical IS 'True: trials with equal seeds are the same picture, bit for bit. NULL: no two have equal seeds, or not measured.';
COMMENT ON COLUMN bench.reproducibility.unmeasured_reason IS 'Why there is no trials_delta_e_mean although it was tried: too few results, ...';
