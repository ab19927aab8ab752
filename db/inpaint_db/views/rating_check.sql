-- Whether raters looked. A spoilt result is "artificial at first glance" and "changed all over", which is one star. A
-- repeat is passed if its criteria are one star off on average: a single one may be more, as moods are.
CREATE VIEW rating_check AS
SELECT i.id AS item_id, i.session_id, s.rater_id, i.kind, i.purpose,
       CASE i.purpose
         WHEN 'untouched' THEN (SELECT r.stars = 4 FROM current_rating r
                                 WHERE r.item_id = i.id AND r.criterion = 'preservation')
         WHEN 'damaged' THEN (SELECT bool_and(r.stars <= 1) FROM current_rating r
                               WHERE r.item_id = i.id AND r.criterion IN ('realism', 'preservation'))
         ELSE (SELECT avg(abs(r.stars - o.stars)) <= 1
                 FROM current_rating r
                 JOIN current_rating o ON o.item_id = i.repeat_of AND o.criterion = r.criterion
                WHERE r.item_id = i.id)
       END AS passed
  FROM rating_item i
  JOIN rating_session s ON s.id = i.session_id
 WHERE i.purpose <> 'real';

COMMENT ON VIEW rating_check IS 'One row per check that was hidden in a rating session, and whether it was passed.';
COMMENT ON COLUMN rating_check.item_id IS 'The item.';
COMMENT ON COLUMN rating_check.session_id IS 'Its session.';
COMMENT ON COLUMN rating_check.rater_id IS 'Who was checked.';
COMMENT ON COLUMN rating_check.kind IS 'output: one picture; trials: all trials of a model on a sample, of which there are repeats only.';
COMMENT ON COLUMN rating_check.purpose IS 'untouched: the source, whose preservation is perfect; damaged: realism and preservation are one star at most; repeat: an item again, whose criteria are one star off at most, on average.';
COMMENT ON COLUMN rating_check.passed IS 'Whether it was passed; NULL: not rated.';
