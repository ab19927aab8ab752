-- Which price of a device is in force when: its own before that of its kind, and of several the one that began last.
-- Periods of one device do not overlap, so that joining them keeps one row an attempt.
CREATE VIEW device_price AS
-- Few rows, and wanted for each attempt: worked out once for a query.
WITH period AS MATERIALIZED (
    SELECT b.device_kind, b.device_name, p.usd_per_hour, b.valid_from, b.valid_to
      FROM (SELECT c.device_kind, c.device_name, c.at AS valid_from,
                   coalesce(lead(c.at) OVER (PARTITION BY c.device_kind, c.device_name ORDER BY c.at), 'infinity')
                     AS valid_to
              FROM (SELECT DISTINCT e.device_kind, e.device_name, m.at
                      FROM environment e
                      JOIN price p
                        ON p.device_kind = e.device_kind AND (p.device_name IS NULL OR p.device_name = e.device_name)
                     CROSS JOIN LATERAL (VALUES (p.valid_from), (p.valid_to)) m (at)
                     WHERE m.at IS NOT NULL) c) b
     CROSS JOIN LATERAL (
            SELECT p.usd_per_hour FROM price p
             WHERE p.device_kind = b.device_kind AND (p.device_name IS NULL OR p.device_name = b.device_name)
               AND p.valid_from <= b.valid_from AND (p.valid_to IS NULL OR p.valid_to > b.valid_from)
             ORDER BY p.device_name NULLS LAST, p.valid_from DESC, p.id DESC LIMIT 1) p
)
SELECT device_kind, device_name, usd_per_hour, valid_from, valid_to FROM period;

COMMENT ON VIEW device_price IS 'One row per period of a device in which one price of an hour is in force.';
COMMENT ON COLUMN device_price.device_kind IS 'cpu, cuda or api.';
COMMENT ON COLUMN device_price.device_name IS 'The device.';
COMMENT ON COLUMN device_price.usd_per_hour IS 'US dollars per hour.';
COMMENT ON COLUMN device_price.valid_from IS 'Begin of the period, which belongs to it.';
COMMENT ON COLUMN device_price.valid_to IS 'End of the period, which does not; infinity: until further notice.';
