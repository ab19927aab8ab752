-- How far each item is.
CREATE VIEW rating_progress AS
SELECT i.id AS item_id, i.session_id, i.position,
       NOT EXISTS (SELECT FROM asked_criterion c
                    WHERE c.item_id = i.id
                      AND NOT EXISTS (SELECT FROM current_rating r WHERE r.item_id = i.id AND r.criterion = c.criterion))
         AS rated,
       coalesce((SELECT e.kind = 'skip' FROM rating_event e
                  WHERE e.item_id = i.id AND e.kind IN ('skip', 'unskip') ORDER BY e.number DESC LIMIT 1), false)
         AS skipped,
       EXISTS (SELECT FROM rating_event e WHERE e.item_id = i.id AND e.kind = 'flag') AS flagged
  FROM rating_item i;

COMMENT ON VIEW rating_progress IS 'One row per item of a rating session: how far it is.';
COMMENT ON COLUMN rating_progress.item_id IS 'The item.';
COMMENT ON COLUMN rating_progress.session_id IS 'Its session.';
COMMENT ON COLUMN rating_progress.position IS 'Its place in the session, from 1.';
COMMENT ON COLUMN rating_progress.rated IS 'Whether each criterion that is asked of it has stars.';
COMMENT ON COLUMN rating_progress.skipped IS 'Whether the rater has skipped it, and not thought better of it.';
COMMENT ON COLUMN rating_progress.flagged IS 'Whether the rater has said that something is wrong with it.';
