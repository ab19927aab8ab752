-- Which price of an image is in force when: of several the one that began last. See device_price.
CREATE VIEW image_price AS
WITH period AS MATERIALIZED (
    SELECT b.model, p.usd_per_image, b.valid_from, b.valid_to
      FROM (SELECT c.model, c.at AS valid_from,
                   coalesce(lead(c.at) OVER (PARTITION BY c.model ORDER BY c.at), 'infinity') AS valid_to
              FROM (SELECT DISTINCT p.model, m.at
                      FROM price p
                     CROSS JOIN LATERAL (VALUES (p.valid_from), (p.valid_to)) m (at)
                     WHERE p.model IS NOT NULL AND m.at IS NOT NULL) c) b
     CROSS JOIN LATERAL (
            SELECT p.usd_per_image FROM price p
             WHERE p.model = b.model
               AND p.valid_from <= b.valid_from AND (p.valid_to IS NULL OR p.valid_to > b.valid_from)
             ORDER BY p.valid_from DESC, p.id DESC LIMIT 1) p
)
SELECT model, usd_per_image, valid_from, valid_to FROM period;

COMMENT ON VIEW image_price IS 'One row per period of a model in which one price of an image is in force.';
COMMENT ON COLUMN image_price.model IS 'The model.';
COMMENT ON COLUMN image_price.usd_per_image IS 'US dollars per image.';
COMMENT ON COLUMN image_price.valid_from IS 'Begin of the period, which belongs to it.';
COMMENT ON COLUMN image_price.valid_to IS 'End of the period, which does not; infinity: until further notice.';
