-- How alike raters judge, and how alike one rater judges the same thing twice.
CREATE VIEW bench.agreement AS
SELECT a.run_id, n.name AS run, a.criterion, CASE WHEN a.rater_id = b.rater_id THEN 'within' ELSE 'between' END AS kind,
       a.rater AS rater_a, b.rater AS rater_b, count(*) AS pairs,
       avg(CASE WHEN a.stars = b.stars THEN 1 ELSE 0 END)::float8 AS equal_share,
       avg(CASE WHEN abs(a.stars - b.stars) <= 1 THEN 1 ELSE 0 END)::float8 AS within_one_share,
       avg(abs(a.stars - b.stars))::float8 AS mean_distance, avg(b.stars - a.stars)::float8 AS mean_difference
  FROM (SELECT i.run_id, i.kind, coalesce(nullif(i.trial_ids, '{}'), ARRAY[i.job_id]) AS shown, i.purpose,
               r.criterion, r.stars, r.number, p.id AS rater_id, p.name AS rater
          FROM rating_item i
          JOIN current_rating r ON r.item_id = i.id
          JOIN rating_session s ON s.id = i.session_id
          JOIN rater p ON p.id = s.rater_id
         WHERE i.kind <> 'model' AND i.purpose IN ('real', 'repeat')) a
  JOIN (SELECT i.kind, coalesce(nullif(i.trial_ids, '{}'), ARRAY[i.job_id]) AS shown, i.purpose,
               r.criterion, r.stars, r.number, p.id AS rater_id, p.name AS rater
          FROM rating_item i
          JOIN current_rating r ON r.item_id = i.id
          JOIN rating_session s ON s.id = i.session_id
          JOIN rater p ON p.id = s.rater_id
         WHERE i.kind <> 'model' AND i.purpose IN ('real', 'repeat')) b
    ON b.shown = a.shown AND b.kind = a.kind AND b.criterion = a.criterion
   AND CASE WHEN a.rater_id = b.rater_id THEN a.number < b.number
            ELSE a.rater < b.rater AND a.purpose = 'real' AND b.purpose = 'real' END
  LEFT JOIN run n ON n.id = a.run_id
 GROUP BY a.run_id, n.name, a.criterion, a.rater_id, a.rater, b.rater_id, b.rater;

COMMENT ON VIEW bench.agreement IS 'One row per run (or production), criterion and pair of raters that have rated the same things; a rater with themselves, where they rated a thing twice.';
COMMENT ON COLUMN bench.agreement.run_id IS 'Id of the run; NULL: production.';
COMMENT ON COLUMN bench.agreement.run IS 'Name of the run.';
COMMENT ON COLUMN bench.agreement.criterion IS 'realism, adaptability, consistency, preservation or reproducibility.';
COMMENT ON COLUMN bench.agreement.kind IS 'between: two raters; within: one rater, who saw the thing twice without being told.';
COMMENT ON COLUMN bench.agreement.rater_a IS 'Name of one rater, the first in the alphabet.';
COMMENT ON COLUMN bench.agreement.rater_b IS 'Name of the other; the same if kind is within.';
COMMENT ON COLUMN bench.agreement.pairs IS 'How many things both have rated.';
COMMENT ON COLUMN bench.agreement.equal_share IS 'Share of the pairs with equal stars, 0 to 1.';
COMMENT ON COLUMN bench.agreement.within_one_share IS 'Share of the pairs that are at most one star apart, 0 to 1.';
COMMENT ON COLUMN bench.agreement.mean_distance IS 'How many stars the two are apart, mean; 0: always the same.';
COMMENT ON COLUMN bench.agreement.mean_difference IS 'How many stars rater_b gives more than rater_a, mean; within: the second time more than the first.';
