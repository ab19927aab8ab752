-- Which models no other model of the run beats in dollars, seconds and quality at once.
CREATE VIEW bench.pareto_front AS
SELECT j.run, j.dataset, j.dataset_version, j.model, j.review_name, j.tier, j.cost_per_1k_usd, j.seconds, j.quality,
       j.quality_is,
       CASE WHEN j.cost_per_1k_usd IS NOT NULL AND j.seconds IS NOT NULL AND j.quality IS NOT NULL
            THEN NOT EXISTS (
                 SELECT FROM unnest(j.costs, j.all_seconds, j.qualities) o (cost, seconds, quality)
                  WHERE o.cost <= j.cost_per_1k_usd AND o.seconds <= j.seconds AND o.quality >= j.quality
                    AND (o.cost < j.cost_per_1k_usd OR o.seconds < j.seconds OR o.quality > j.quality))
       END AS on_front
  -- Each row carries those of its run: a second look at the view would compute all runs.
  FROM (SELECT q.*, array_agg(q.cost_per_1k_usd) OVER w AS costs, array_agg(q.seconds) OVER w AS all_seconds,
               array_agg(q.quality) OVER w AS qualities
          FROM (SELECT l.run, l.dataset, l.dataset_version, l.model, l.review_name, l.tier, l.cost_per_1k_usd,
                       l.warm_median_s AS seconds,
                       -- A run with truth is judged by it alone: likeness and seams are no common scale.
                       CASE WHEN l.has_truth THEN l.truth_effect_ssim
                            WHEN l.seam_ratio IS NOT NULL
                            THEN (1 - coalesce(l.blank_share, 0)) / greatest(l.seam_ratio, 1)
                       END AS quality,
                       CASE WHEN l.has_truth THEN 'truth_effect_ssim' ELSE 'seamlessness' END AS quality_is
                  FROM (SELECT b.*, bool_or(b.truth_effect_ssim IS NOT NULL) OVER (PARTITION BY b.run) AS has_truth
                          FROM bench.leaderboard b) l) q
        WINDOW w AS (PARTITION BY q.run)) j;

COMMENT ON VIEW bench.pareto_front IS 'One row per run and model: dollars, seconds and quality, and whether no other model of the run is at least as good in all three and better in one.';
COMMENT ON COLUMN bench.pareto_front.run IS 'Name of the run.';
COMMENT ON COLUMN bench.pareto_front.dataset IS 'Name of the dataset.';
COMMENT ON COLUMN bench.pareto_front.dataset_version IS 'Version of the dataset.';
COMMENT ON COLUMN bench.pareto_front.model IS 'Model card.';
COMMENT ON COLUMN bench.pareto_front.review_name IS 'What the published review of nine models calls it; NULL: it is not one of them.';
COMMENT ON COLUMN bench.pareto_front.tier IS 'What the trials ran in, one for a run: exact, or fast or turbo, which leave work out.';
COMMENT ON COLUMN bench.pareto_front.cost_per_1k_usd IS 'US dollars per 1,000 images; NULL: unknown, see leaderboard.';
COMMENT ON COLUMN bench.pareto_front.seconds IS 'Seconds on the device per image, median of the warm trials.';
COMMENT ON COLUMN bench.pareto_front.quality IS 'By quality_is, 0 to 1, more is better; compare within a run only.';
COMMENT ON COLUMN bench.pareto_front.quality_is IS 'truth_effect_ssim: likeness to the ground truth, wherever the run has one. seamlessness: 1 / seam_ratio (at most 1) times the share of results that are not blank; it says how well the border blends in, not what was painted.';
COMMENT ON COLUMN bench.pareto_front.on_front IS 'True: no other model of the run is at least as good in all three and better in one. NULL: one of the three is unknown.';
