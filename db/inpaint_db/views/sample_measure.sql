-- The mean over trials, so that a sample with more of them than others counts no more.
CREATE VIEW sample_measure AS
SELECT run_id, model, sample_id, metric, avg(value) AS value
  FROM current_measure
 GROUP BY run_id, model, sample_id, metric;

COMMENT ON VIEW sample_measure IS 'One row per run, model, sample and metric: the mean over the trials that have a value.';
COMMENT ON COLUMN sample_measure.run_id IS 'The run.';
COMMENT ON COLUMN sample_measure.model IS 'The model.';
COMMENT ON COLUMN sample_measure.sample_id IS 'The sample.';
COMMENT ON COLUMN sample_measure.metric IS 'Name of the metric.';
COMMENT ON COLUMN sample_measure.value IS 'Mean over trials, in the unit of the metric; NULL: none has a value.';
