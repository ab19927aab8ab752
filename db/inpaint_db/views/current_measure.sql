-- What was measured, by the version of each metric that is current: numbers of an older one are never mixed in.
CREATE VIEW current_measure AS
SELECT v.run_id, v.model, v.sample_id, v.trial_id, v.metric, v.value, v.reason
  FROM measure v
  JOIN metric k ON k.name = v.metric AND k.version = v.version AND k.current;

COMMENT ON VIEW current_measure IS 'One row per trial and metric, or per model, sample and metric: the value, by the current version of the metric.';
COMMENT ON COLUMN current_measure.run_id IS 'The run.';
COMMENT ON COLUMN current_measure.model IS 'The model.';
COMMENT ON COLUMN current_measure.sample_id IS 'The sample.';
COMMENT ON COLUMN current_measure.trial_id IS 'The trial; NULL: of all trials of the model on the sample together.';
COMMENT ON COLUMN current_measure.metric IS 'Name of the metric.';
COMMENT ON COLUMN current_measure.value IS 'The number, in the unit of the metric.';
COMMENT ON COLUMN current_measure.reason IS 'Why there is no value.';
