-- Stars for results that count, and for what: `thing` is the same whoever was shown it, and however many trials a set had
-- by then.
CREATE VIEW given_stars AS
SELECT i.run_id, i.kind, i.purpose, i.model,
       CASE i.kind WHEN 'trials' THEN ARRAY[i.run_id, i.sample_id] ELSE ARRAY[coalesce(i.trial_ids[1], i.job_id)] END
         AS thing,
       r.criterion, r.stars, r.number, p.id AS rater_id, p.name AS rater, u.name || ' ' || u.version AS rubric
  FROM rating_item i
  JOIN current_rating r ON r.item_id = i.id
  JOIN rating_session s ON s.id = i.session_id
  JOIN rater p ON p.id = s.rater_id
  JOIN rubric u ON u.id = s.rubric_id
 WHERE i.kind <> 'model' AND i.purpose IN ('real', 'repeat');

COMMENT ON VIEW given_stars IS 'One row per item and criterion that has stars, hidden repeats included; no other checks, nothing of models as a whole.';
COMMENT ON COLUMN given_stars.run_id IS 'Id of the run; NULL: production.';
COMMENT ON COLUMN given_stars.kind IS 'output: one picture; trials: all trials of a model on a sample.';
COMMENT ON COLUMN given_stars.purpose IS 'real, or repeat: a real item again.';
COMMENT ON COLUMN given_stars.model IS 'Model card.';
COMMENT ON COLUMN given_stars.thing IS 'With kind and model: what was rated.';
COMMENT ON COLUMN given_stars.criterion IS 'By which criterion.';
COMMENT ON COLUMN given_stars.stars IS 'Stars, 0 to 4.';
COMMENT ON COLUMN given_stars.number IS 'Order of arrival.';
COMMENT ON COLUMN given_stars.rater_id IS 'Id of the rater.';
COMMENT ON COLUMN given_stars.rater IS 'Name of the rater.';
COMMENT ON COLUMN given_stars.rubric IS 'Name and version of the rubric by which they were given.';
