-- The rating that counts: of an item and a criterion the one given last, whenever it arrived, that was not taken back.
CREATE VIEW current_rating AS
SELECT r.id, r.item_id, r.criterion, r.stars, r.number, r.duration_s, r.measured_s, r.ui_version, r.created_at,
       r.created_at - r.waited_s * interval '1 second' AS given_at
  FROM rating r
 WHERE NOT EXISTS (SELECT FROM rating_event e WHERE e.rating_id = r.id)
   AND NOT EXISTS (SELECT FROM rating n
                    WHERE n.item_id = r.item_id AND n.criterion = r.criterion
                      AND (n.created_at - n.waited_s * interval '1 second', n.number)
                        > (r.created_at - r.waited_s * interval '1 second', r.number)
                      AND NOT EXISTS (SELECT FROM rating_event e WHERE e.rating_id = n.id));

COMMENT ON VIEW current_rating IS 'One row per item and criterion that has stars: the ones that count.';
COMMENT ON COLUMN current_rating.id IS 'The rating.';
COMMENT ON COLUMN current_rating.item_id IS 'What was rated.';
COMMENT ON COLUMN current_rating.criterion IS 'By which criterion.';
COMMENT ON COLUMN current_rating.stars IS 'Stars, 0 to 4.';
COMMENT ON COLUMN current_rating.number IS 'Order of arrival.';
COMMENT ON COLUMN current_rating.duration_s IS 'Seconds from showing to giving; NULL: not known.';
COMMENT ON COLUMN current_rating.ui_version IS 'Which page, or which import, it came through.';
COMMENT ON COLUMN current_rating.measured_s IS 'For how many seconds the item was looked at, by the server''s clock; NULL: not known.';
COMMENT ON COLUMN current_rating.created_at IS 'When it arrived.';
COMMENT ON COLUMN current_rating.given_at IS 'When it was given: earlier than it arrived if its page had no connection.';
