-- What each attempt cost, by the price in force when it started.
CREATE VIEW attempt_cost AS
SELECT job_id, number AS attempt, cost_usd, cost_unknown_reason FROM attempt_report;

COMMENT ON VIEW attempt_cost IS 'One row per attempt: its cost, derived from the price in force when it started.';
COMMENT ON COLUMN attempt_cost.job_id IS 'The job.';
COMMENT ON COLUMN attempt_cost.attempt IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN attempt_cost.cost_usd IS 'US dollars: seconds on the device times its price, or the price of an image times those it made; 0 if neither was used. NULL: unknown.';
COMMENT ON COLUMN attempt_cost.cost_unknown_reason IS 'Why cost_usd is NULL.';
