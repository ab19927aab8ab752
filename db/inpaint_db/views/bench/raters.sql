-- How raters work: whether they look, and whether they tell things apart.
CREATE VIEW bench.raters AS
SELECT p.id AS rater_id, p.name AS rater, p.kind = 'imported' AS imported, coalesce(w.pictures, 0) AS pictures,
       coalesce(w.ratings, 0) AS ratings, w.same_share, coalesce(c.checks, 0) AS checks,
       coalesce(c.failed, 0) AS checks_failed, coalesce(c.failing, false) AS failing
  FROM rater p
  LEFT JOIN rater_checks c ON c.rater_id = p.id
  LEFT JOIN (SELECT o.rater_id, sum(o.pictures)::bigint AS pictures, sum(o.ratings)::bigint AS ratings,
                    max(o.pictures) / sum(o.pictures)::float8 AS same_share
               FROM (SELECT i.rater_id, i.stars, count(*) AS pictures, sum(i.ratings) AS ratings
                       FROM (SELECT s.rater_id, string_agg(r.criterion || r.stars, ' ' ORDER BY r.criterion) AS stars,
                                    count(*) AS ratings
                               FROM rating_session s
                               JOIN rating_item i ON i.session_id = s.id
                               JOIN current_rating r ON r.item_id = i.id
                              WHERE i.purpose = 'real' AND i.kind = 'output'
                              GROUP BY s.rater_id, i.id) i
                      GROUP BY i.rater_id, i.stars) o
              GROUP BY o.rater_id) w ON w.rater_id = p.id;

COMMENT ON VIEW bench.raters IS 'One row per rater: how many single pictures they rated, in all sessions, and how their checks went. Nobody is left out of any mean for it.';
COMMENT ON COLUMN bench.raters.rater_id IS 'Id of the rater.';
COMMENT ON COLUMN bench.raters.rater IS 'Name of the rater.';
COMMENT ON COLUMN bench.raters.imported IS 'True: the stars were given elsewhere, and read from a file or a publication.';
COMMENT ON COLUMN bench.raters.pictures IS 'How many single pictures they have rated, checks left out.';
COMMENT ON COLUMN bench.raters.ratings IS 'How many ratings of those count.';
COMMENT ON COLUMN bench.raters.same_share IS 'Share of the pictures that got the combination of stars that they give most often, 0 to 1; near 1: they click the same everywhere. NULL: no pictures.';
COMMENT ON COLUMN bench.raters.checks IS 'How many checks the rater has rated.';
COMMENT ON COLUMN bench.raters.checks_failed IS 'How many of those were failed.';
COMMENT ON COLUMN bench.raters.failing IS 'Whether more than half of the checks of one purpose (untouched, damaged, repeat) were failed, of at least three.';
