-- What is asked of each item. Where nothing was prompted, nobody can say whether the prompt was met.
CREATE VIEW asked_criterion AS
SELECT i.id AS item_id, c.name AS criterion, c.position
  FROM rating_item i
  JOIN rating_session s ON s.id = i.session_id
  JOIN criterion c ON c.rubric_id = s.rubric_id AND (c.target = i.kind OR i.kind = 'model')
  LEFT JOIN sample m ON m.id = i.sample_id
  LEFT JOIN job j ON j.id = i.job_id AND i.sample_id IS NULL
 WHERE c.name <> 'adaptability' OR i.kind = 'model' OR coalesce(m.prompt, j.prompt, '') ~ '\S';

COMMENT ON VIEW asked_criterion IS 'One row per item of a rating session and criterion that is asked of it.';
COMMENT ON COLUMN asked_criterion.item_id IS 'The item.';
COMMENT ON COLUMN asked_criterion.criterion IS 'The criterion; adaptability is asked only where there was a prompt.';
COMMENT ON COLUMN asked_criterion.position IS 'Its place in the rubric, from 1.';
