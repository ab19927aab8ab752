-- Which price is in force when: of those that are valid at once, the one that began last. Periods of one device, kind
-- of device or model do not overlap, so that joining them keeps one row an attempt.
CREATE VIEW price_period AS
-- Few rows, and wanted several times by a query: worked out once.
WITH period AS MATERIALIZED (
    SELECT b.device_kind, b.device_name, b.model, p.usd_per_hour, p.usd_per_image, b.valid_from, b.valid_to
      FROM (SELECT c.device_kind, c.device_name, c.model, c.at AS valid_from,
                   coalesce(lead(c.at) OVER (PARTITION BY c.device_kind, c.device_name, c.model ORDER BY c.at),
                            'infinity') AS valid_to
              FROM (SELECT device_kind, device_name, model, valid_from AS at FROM price
                    UNION
                    SELECT device_kind, device_name, model, valid_to FROM price WHERE valid_to IS NOT NULL) c) b
     CROSS JOIN LATERAL (
            SELECT p.usd_per_hour, p.usd_per_image FROM price p
             WHERE p.device_kind IS NOT DISTINCT FROM b.device_kind AND p.device_name IS NOT DISTINCT FROM b.device_name
               AND p.model IS NOT DISTINCT FROM b.model
               AND p.valid_from <= b.valid_from AND (p.valid_to IS NULL OR p.valid_to > b.valid_from)
             ORDER BY p.valid_from DESC, p.id DESC LIMIT 1) p
)
SELECT device_kind, device_name, model, usd_per_hour, usd_per_image, valid_from, valid_to FROM period;

COMMENT ON VIEW price_period IS 'One row per period of a device, kind of device or model in which one price is in force.';
COMMENT ON COLUMN price_period.device_kind IS 'cpu, cuda or api; NULL: a price per image.';
COMMENT ON COLUMN price_period.device_name IS 'The device; NULL: every one of the kind that has no price of its own.';
COMMENT ON COLUMN price_period.model IS 'The model, for prices per image.';
COMMENT ON COLUMN price_period.usd_per_hour IS 'US dollars per hour of the device.';
COMMENT ON COLUMN price_period.usd_per_image IS 'US dollars per image of the model.';
COMMENT ON COLUMN price_period.valid_from IS 'Begin of the period, which belongs to it.';
COMMENT ON COLUMN price_period.valid_to IS 'End of the period, which does not; infinity: until further notice.';
