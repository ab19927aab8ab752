-- Two runs beside each other. Samples are the same if pictures and prompt are, also in two versions of a dataset.
CREATE VIEW bench.run_comparison AS
SELECT a.name AS run_a, b.name AS run_b, c.model, c.sample, a.tier AS tier_a, b.tier AS tier_b, c.metric, c.value_a, c.value_b,
       c.value_b - c.value_a AS difference,
       CASE WHEN k.direction = 'none' OR c.value_a IS NULL OR c.value_b IS NULL THEN NULL
            -- A mean of equal numbers can differ in its last digit.
            WHEN abs(c.value_b - c.value_a) <= 1e-9 * greatest(abs(c.value_a), abs(c.value_b)) THEN 'same'
            WHEN (c.value_b > c.value_a) = (k.direction = 'higher') THEN 'b'
            ELSE 'a'
       END AS better
  FROM run a
  JOIN run b ON b.id <> a.id
  CROSS JOIN LATERAL (
        SELECT m.model, s.name AS sample, m.metric,
               avg(m.value) FILTER (WHERE m.run_id = a.id) AS value_a,
               avg(m.value) FILTER (WHERE m.run_id = b.id) AS value_b
          FROM current_measure m
          JOIN sample s ON s.id = m.sample_id
          JOIN dataset_version d ON d.id = s.dataset_version_id
         WHERE m.run_id IN (a.id, b.id)
         GROUP BY m.model, d.dataset, s.name, s.source_sha256, s.mask_sha256, s.truth_sha256,
                  s.reference_sha256, s.object_mask_sha256, s.effect_mask_sha256, s.prompt, s.negative_prompt, m.metric
        HAVING bool_or(m.run_id = a.id) AND bool_or(m.run_id = b.id)) c
  JOIN metric k ON k.name = c.metric AND k.current;

COMMENT ON VIEW bench.run_comparison IS 'One row per pair of runs, model, sample and metric that both have measured. Name both runs when you ask: every pair is compared anew.';
COMMENT ON COLUMN bench.run_comparison.run_a IS 'Name of one run.';
COMMENT ON COLUMN bench.run_comparison.run_b IS 'Name of the other.';
COMMENT ON COLUMN bench.run_comparison.model IS 'Model card.';
COMMENT ON COLUMN bench.run_comparison.sample IS 'Name of the sample: one with the same pictures and prompt in both.';
COMMENT ON COLUMN bench.run_comparison.tier_a IS 'What run_a ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.run_comparison.tier_b IS 'The same of run_b.';
COMMENT ON COLUMN bench.run_comparison.metric IS 'Name of the metric.';
COMMENT ON COLUMN bench.run_comparison.value_a IS 'Mean over the trials of run_a, in the unit of the metric; NULL: none has a value.';
COMMENT ON COLUMN bench.run_comparison.value_b IS 'The same of run_b.';
COMMENT ON COLUMN bench.run_comparison.difference IS 'value_b - value_a.';
COMMENT ON COLUMN bench.run_comparison.better IS 'a, b or same, by the direction of the metric; NULL: it has none, or a value is missing.';
