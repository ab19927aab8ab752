-- Whether raters looked. A repeat is passed with no criterion more than one star off.
CREATE VIEW rating_check AS
SELECT i.id AS item_id, i.session_id, s.rater_id, i.purpose,
       CASE i.purpose
         WHEN 'untouched' THEN (SELECT r.stars = 4 FROM current_rating r
                                 WHERE r.item_id = i.id AND r.criterion = 'preservation')
         WHEN 'damaged' THEN (SELECT bool_and(r.stars < 4) FROM current_rating r
                               WHERE r.item_id = i.id AND r.criterion IN ('realism', 'preservation'))
         ELSE (SELECT bool_and(abs(r.stars - o.stars) <= 1)
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
COMMENT ON COLUMN rating_check.purpose IS 'untouched: the source, whose preservation is perfect; damaged: neither realism nor preservation can be; repeat: an item again, no criterion more than one star off.';
COMMENT ON COLUMN rating_check.passed IS 'Whether it was passed; NULL: not rated.';
