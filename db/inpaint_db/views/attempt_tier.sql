-- What the tier of each attempt meant: a deployment may change what "fast" leaves out, and then the name alone does not
-- tell which results are of one kind.
CREATE VIEW attempt_tier AS
SELECT a.job_id, a.number, a.tier,
       -- The same in attempt_report, which would have to read each attempt twice.
       CASE WHEN a.tier = 'exact' THEN ''
            ELSE nullif(concat_ws(', ', 'step_cache=' || (a.parameters->>'step_cache'),
                                  'guidance_until=' || (a.parameters->>'guidance_until')), '') END AS tier_definition,
       (a.parameters->>'network_passes_computed')::float8 / nullif((a.parameters->>'network_passes')::float8, 0)
         AS computed_share
  FROM attempt a;

COMMENT ON VIEW attempt_tier IS 'One row per attempt: its tier, and what that left out at the time.';
COMMENT ON COLUMN attempt_tier.job_id IS 'The job.';
COMMENT ON COLUMN attempt_tier.number IS 'Number of the attempt, from 1.';
COMMENT ON COLUMN attempt_tier.tier IS 'What it ran in: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN attempt_tier.tier_definition IS 'What the tier left out, such as step_cache=0.08 or guidance_until=0.5, with a comma between several; empty: nothing, as in exact. NULL: not known, since it has not got so far.';
COMMENT ON COLUMN attempt_tier.computed_share IS 'Share of the passes through the network that were computed, 0 to 1; NULL: nothing was left out, or it is not counted.';
