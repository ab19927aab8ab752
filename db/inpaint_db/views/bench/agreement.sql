-- How alike raters judge, and how alike one rater judges the same thing twice. A thing counts once for each two raters,
-- by the first stars that each gave it; for one rater by the first and the second, a hidden repeat among them.
CREATE VIEW bench.agreement AS
SELECT n.id AS run_id, n.name AS run, p.*
  FROM run n
 CROSS JOIN LATERAL (
       WITH given AS (
            SELECT g.*, row_number() OVER w AS nth, row_number() OVER (w_real) AS nth_real
              FROM given_stars g WHERE g.run_id = n.id
            WINDOW w AS (PARTITION BY g.kind, g.model, g.thing, g.criterion, g.rater_id ORDER BY g.number),
                   w_real AS (PARTITION BY g.kind, g.model, g.thing, g.criterion, g.rater_id, g.purpose ORDER BY g.number))
       SELECT a.criterion, CASE WHEN a.rater_id = b.rater_id THEN 'within' ELSE 'between' END AS kind,
              a.rater AS rater_a, b.rater AS rater_b, count(*) AS pairs,
              avg(CASE WHEN a.stars = b.stars THEN 1 ELSE 0 END)::float8 AS equal_share,
              avg(CASE WHEN abs(a.stars - b.stars) <= 1 THEN 1 ELSE 0 END)::float8 AS within_one_share,
              avg(abs(a.stars - b.stars))::float8 AS mean_distance, avg(b.stars - a.stars)::float8 AS mean_difference,
              count(*) FILTER (WHERE a.rubric <> b.rubric) AS mixed_pairs
         FROM given a JOIN given b ON b.kind = a.kind AND b.model = a.model AND b.thing = a.thing
          AND b.criterion = a.criterion
          AND CASE WHEN a.rater_id = b.rater_id THEN a.nth = 1 AND b.nth = 2
                   ELSE a.rater < b.rater AND a.purpose = 'real' AND b.purpose = 'real'
                        AND a.nth_real = 1 AND b.nth_real = 1 END
        GROUP BY a.criterion, a.rater_id, a.rater, b.rater_id, b.rater) p
UNION ALL
SELECT NULL, NULL, p.*
  FROM (WITH given AS (
            SELECT g.*, row_number() OVER w AS nth, row_number() OVER (w_real) AS nth_real
              FROM given_stars g WHERE g.run_id IS NULL
            WINDOW w AS (PARTITION BY g.kind, g.model, g.thing, g.criterion, g.rater_id ORDER BY g.number),
                   w_real AS (PARTITION BY g.kind, g.model, g.thing, g.criterion, g.rater_id, g.purpose ORDER BY g.number))
       SELECT a.criterion, CASE WHEN a.rater_id = b.rater_id THEN 'within' ELSE 'between' END AS kind,
              a.rater AS rater_a, b.rater AS rater_b, count(*) AS pairs,
              avg(CASE WHEN a.stars = b.stars THEN 1 ELSE 0 END)::float8 AS equal_share,
              avg(CASE WHEN abs(a.stars - b.stars) <= 1 THEN 1 ELSE 0 END)::float8 AS within_one_share,
              avg(abs(a.stars - b.stars))::float8 AS mean_distance, avg(b.stars - a.stars)::float8 AS mean_difference,
              count(*) FILTER (WHERE a.rubric <> b.rubric) AS mixed_pairs
         FROM given a JOIN given b ON b.kind = a.kind AND b.model = a.model AND b.thing = a.thing
          AND b.criterion = a.criterion
          AND CASE WHEN a.rater_id = b.rater_id THEN a.nth = 1 AND b.nth = 2
                   ELSE a.rater < b.rater AND a.purpose = 'real' AND b.purpose = 'real'
                        AND a.nth_real = 1 AND b.nth_real = 1 END
        GROUP BY a.criterion, a.rater_id, a.rater, b.rater_id, b.rater) p;

COMMENT ON VIEW bench.agreement IS 'One row per run (or production), criterion and pair of raters that have rated the same things; a rater with themselves, where they rated a thing twice.';
COMMENT ON COLUMN bench.agreement.run_id IS 'Id of the run; NULL: production.';
COMMENT ON COLUMN bench.agreement.run IS 'Name of the run.';
COMMENT ON COLUMN bench.agreement.criterion IS 'realism, adaptability, consistency, preservation or reproducibility.';
COMMENT ON COLUMN bench.agreement.kind IS 'between: two raters, by the first stars of each; within: one rater, who saw the thing twice without being told, by the first two.';
COMMENT ON COLUMN bench.agreement.rater_a IS 'Name of one rater, the first in the alphabet.';
COMMENT ON COLUMN bench.agreement.rater_b IS 'Name of the other; the same if kind is within.';
COMMENT ON COLUMN bench.agreement.pairs IS 'How many things both have rated, each counted once.';
COMMENT ON COLUMN bench.agreement.equal_share IS 'Share of the pairs with equal stars, 0 to 1.';
COMMENT ON COLUMN bench.agreement.within_one_share IS 'Share of the pairs that are at most one star apart, 0 to 1.';
COMMENT ON COLUMN bench.agreement.mean_distance IS 'How many stars the two are apart, mean; 0: always the same.';
COMMENT ON COLUMN bench.agreement.mean_difference IS 'How many stars rater_b gives more than rater_a, mean; within: the second time more than the first.';
COMMENT ON COLUMN bench.agreement.mixed_pairs IS 'How many of the pairs were rated by different rubrics, or versions of one: those words may not mean the same.';
