-- What nobody has rated yet, of runs. Trials with the same picture, byte for byte, are one thing to rate: sessions show
-- the first of them.
CREATE VIEW bench.unrated AS
SELECT t.run_id, r.name AS run, t.model, t.sample_id, s.name AS sample, 'output' AS kind, t.numbers[1] AS trial,
       t.ids[1] AS trial_id
  FROM (SELECT t.run_id, t.model, t.sample_id, array_agg(t.id ORDER BY t.number) AS ids,
               array_agg(t.number ORDER BY t.number) AS numbers
          FROM trial t
          LEFT JOIN job j ON j.id = t.job_id
          LEFT JOIN output o ON o.job_id = j.id AND o.attempt = j.attempt AND o.kind = 'result' AND o.number = 1
         WHERE t.imported_at IS NOT NULL OR j.status = 'succeeded'
         GROUP BY t.run_id, t.model, t.sample_id, coalesce(t.output_sha256, o.sha256, t.id::text)) t
  JOIN run r ON r.id = t.run_id
  JOIN sample s ON s.id = t.sample_id
 WHERE NOT EXISTS (SELECT FROM rating_item i JOIN current_rating c ON c.item_id = i.id
                    WHERE i.run_id = t.run_id AND i.kind = 'output' AND i.purpose = 'real' AND i.model = t.model
                      AND i.sample_id = t.sample_id AND i.trial_ids[1] = ANY(t.ids))
UNION ALL
SELECT t.run_id, r.name, t.model, t.sample_id, s.name, 'trials', NULL, NULL
  FROM (SELECT t.run_id, t.model, t.sample_id
          FROM trial t LEFT JOIN job j ON j.id = t.job_id
         WHERE t.imported_at IS NOT NULL OR j.status = 'succeeded'
         GROUP BY t.run_id, t.model, t.sample_id HAVING count(*) > 1) t
  JOIN run r ON r.id = t.run_id
  JOIN sample s ON s.id = t.sample_id
 WHERE NOT EXISTS (SELECT FROM rating_item i JOIN current_rating c ON c.item_id = i.id
                    WHERE i.run_id = t.run_id AND i.kind = 'trials' AND i.purpose = 'real' AND i.model = t.model
                      AND i.sample_id = t.sample_id);

COMMENT ON VIEW bench.unrated IS 'One row per different result, and per set of trials, of a run that has no stars by any criterion from anybody.';
COMMENT ON COLUMN bench.unrated.run_id IS 'Id of the run.';
COMMENT ON COLUMN bench.unrated.run IS 'Name of the run.';
COMMENT ON COLUMN bench.unrated.model IS 'Model card.';
COMMENT ON COLUMN bench.unrated.sample_id IS 'Id of the sample.';
COMMENT ON COLUMN bench.unrated.sample IS 'Name of the sample in its dataset.';
COMMENT ON COLUMN bench.unrated.kind IS 'output: one result; trials: all results of the model on the sample, of which reproducibility is asked.';
COMMENT ON COLUMN bench.unrated.trial IS 'Number of the trial, from 1, the first of those that made this picture; NULL: kind is trials.';
COMMENT ON COLUMN bench.unrated.trial_id IS 'Id of the trial; NULL: kind is trials.';
