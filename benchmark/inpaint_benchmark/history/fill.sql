-- Years of benchmarks out of nothing. history.runs: how many runs, of 10 models x 10 samples x 10 trials each.
-- Metrics are there already. One run a week; each job has an attempt, 1 in 50 a second one; 1 in 33 fails. As many
-- jobs as half of the trials are production.

-- Foreign keys hold by construction; checking them one by one takes as long as all the rest.
SET LOCAL session_replication_role = replica;

-- Ids that grow, as the fleet's do. Postgres itself makes such only from version 18.
CREATE TEMP SEQUENCE made;
CREATE FUNCTION pg_temp.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex(nextval('made')), 12, '0') || '70008000' || substr(md5(random()::text), 1, 12))::uuid $$;

INSERT INTO image (sha256, format, mode, width, height, size_bytes)
SELECT encode(sha256(('image ' || n)::bytea), 'hex'), 'PNG', 'RGB', 1408, 1056, 2000000 FROM generate_series(1, 30) n;

INSERT INTO dataset (name) VALUES ('history');
INSERT INTO dataset_version (id, dataset, version, content_sha256)
VALUES (pg_temp.new_id(), 'history', '1', repeat('0', 64));
INSERT INTO sample (id, dataset_version_id, name, position, prompt, source_sha256, mask_sha256, truth_sha256, width,
                    height, coverage, tags)
SELECT pg_temp.new_id(), d.id, 'sample-' || n, n, 'a sofa', encode(sha256(('image ' || n)::bytea), 'hex'),
       encode(sha256(('image ' || 10 + n)::bytea), 'hex'), encode(sha256(('image ' || 20 + n)::bytea), 'hex'), 1408,
       1056, 0.02 * n, jsonb_build_object('room', n % 3)
  FROM dataset_version d, generate_series(1, 10) n;

INSERT INTO model (name, family, card)
SELECT 'model-' || n, 'history', jsonb_build_object('review_name', 'Model ' || n) FROM generate_series(1, 10) n;
INSERT INTO model_version (id, model, fingerprint, held, label)
SELECT pg_temp.new_id(), 'model-' || n, encode(sha256((n || ' ' || v)::bytea), 'hex'), '{}',
       'base 1a2b3c' || v || ', bfloat16'
  FROM generate_series(1, 10) n, generate_series(1, 4) v;
INSERT INTO environment (id, fingerprint, device_kind, device_name, python_version, operating_system, packages)
SELECT pg_temp.new_id(), 'history ' || n, 'cuda', CASE WHEN n % 2 = 0 THEN 'NVIDIA L40S' ELSE 'NVIDIA H100' END, '3.11',
       'Linux', jsonb_build_object('torch', '2.' || n, 'diffusers', '0.4' || n)
  FROM generate_series(1, 8) n;
INSERT INTO worker (id, model, environment_id, host, pid, version, state, stopped_at)
SELECT pg_temp.new_id(), 'model-1', e.id, 'history', 1, '0', 'stopped', now() FROM environment e;
-- A price of each kind for each quarter, and one of the kind for all of them.
INSERT INTO price (id, device_kind, device_name, usd_per_hour, valid_from, valid_to)
SELECT pg_temp.new_id(), 'cuda', name, 1 + random(), now() - make_interval(weeks => 13 * n),
       CASE WHEN n > 0 THEN now() - make_interval(weeks => 13 * (n - 1)) END
  FROM (VALUES ('NVIDIA L40S'), ('NVIDIA H100'), (NULL)) d (name), generate_series(0, 10) n;

INSERT INTO run (id, name, dataset_version_id, models, seeds, tier, created_at)
SELECT pg_temp.new_id(), 'run-' || n, d.id, array(SELECT name FROM model WHERE family = 'history'),
       array(SELECT generate_series(1, 10)), CASE WHEN n % 10 = 2 THEN 'fast' ELSE 'exact' END,
       now() - make_interval(weeks => current_setting('history.runs')::int - n)
  FROM dataset_version d, generate_series(1, current_setting('history.runs')::int) n;

-- Trials as runs plan them: a model's one after another, all samples before the next seed.
INSERT INTO trial (id, run_id, model, sample_id, number, seed, job_id, model_version_id)
SELECT pg_temp.new_id(), r.id, m.name, s.id, n, n, pg_temp.new_id(), v.id
  FROM (SELECT r.*, row_number() OVER (ORDER BY r.created_at) AS place FROM run r) r
 CROSS JOIN (SELECT name FROM model WHERE family = 'history') m
 CROSS JOIN generate_series(1, 10) n
 CROSS JOIN sample s
  JOIN model_version v ON v.model = m.name AND v.label = 'base 1a2b3c' || 1 + r.place % 4 || ', bfloat16'
 ORDER BY r.place, m.name, n, s.position;

CREATE TEMP TABLE planned ON COMMIT DROP AS
SELECT t.job_id AS id, t.model, r.created_at + t.number * interval '1 minute' AS at, s.source_sha256, s.mask_sha256,
       random() AS fate, random() AS second, r.tier
  FROM trial t JOIN run r ON r.id = t.run_id JOIN sample s ON s.id = t.sample_id
UNION ALL
SELECT pg_temp.new_id(), 'model-' || 1 + n % 10,
       now() - random() * make_interval(weeks => current_setting('history.runs')::int), s.source_sha256,
       s.mask_sha256, random(), random(), 'exact'
  FROM generate_series(1, 500 * current_setting('history.runs')::int) n JOIN sample s ON s.position = 1 + n % 10;

INSERT INTO job (id, model, status, source_uri, source_sha256, mask_uri, mask_sha256, prompt, request_hash,
                 max_attempts, attempt, failures, submitted_at, queued_at, not_before, started_at, finished_at,
                 error_code, error_message)
SELECT id, model, CASE WHEN fate < 0.03 THEN 'failed' ELSE 'succeeded' END, 's3://inpaint/inputs/' || source_sha256,
       source_sha256, 's3://inpaint/inputs/' || mask_sha256, mask_sha256, 'a sofa with legs of oak', id::text, 3,
       CASE WHEN second < 0.02 THEN 2 ELSE 1 END, CASE WHEN second < 0.02 THEN 1 ELSE 0 END, at, at, at,
       at + interval '20 s', at + interval '30 s',
       CASE WHEN fate < 0.01 THEN 'gpu_memory' WHEN fate < 0.03 THEN 'invalid_image' END,
       CASE WHEN fate < 0.03 THEN 'What was wrong, what was found, what to do.' END
  FROM planned;
INSERT INTO attempt (job_id, number, worker_id, environment_id, status, tier, started_at, finished_at, first_after_load,
                     queue_wait_s, fetch_s, prepare_s, gpu_wait_s, inference_s, composite_s, encode_s, store_s,
                     peak_memory_bytes, peak_memory_kind, parameters, windows, error_code)
SELECT p.id, a.number, w.id, w.environment_id,
       CASE WHEN (a.number = 1 AND p.second < 0.02) OR p.fate < 0.03 THEN 'failed' ELSE 'succeeded' END,
       p.tier, p.at + interval '20 s', p.at + interval '30 s', p.second > 0.98, 40 * random(), 0.1, 0.1, 3 * random(),
       5 + 3 * random() + CASE WHEN p.second > 0.98 THEN 10 ELSE 0 END, 0.1, 0.1, 0.1, 3e10 + 1e9 * random(),
       'cuda_allocated',
       CASE p.tier WHEN 'exact' THEN '{"steps": 28, "guidance": 30}'::jsonb
                   ELSE '{"steps": 28, "guidance": 30, "tier": "fast", "step_cache": 0.08, "network_passes": 28,
                          "network_passes_computed": 15}' END,
       '[{"box": [100, 100, 900, 900], "size": [1024, 1024], "content": [1024, 1024]}]',
       CASE WHEN p.fate < 0.01 THEN 'gpu_memory' WHEN p.fate < 0.03 THEN 'invalid_image' END
  FROM planned p
  JOIN (SELECT w.*, row_number() OVER (ORDER BY w.id) - 1 AS place FROM worker w WHERE w.host = 'history') w
    ON w.place = abs(hashtext(p.id::text)) % 8
 CROSS JOIN generate_series(1, 2) a (number)
 WHERE a.number = 1 OR p.second < 0.02;

-- An older version of a metric, for the first tenth of the runs.
INSERT INTO metric (name, version, unit, direction, scope, description, current)
SELECT name, 0, unit, direction, scope, description, false FROM metric WHERE name = 'seam_ratio';
INSERT INTO measure (id, run_id, model, sample_id, trial_id, metric, version, value, reason)
SELECT pg_temp.new_id(), t.run_id, t.model, t.sample_id, t.id, k.name, k.version, f.value,
       CASE WHEN f.value IS NULL THEN 'no_raw_output' END
  FROM trial t
  JOIN run r ON r.id = t.run_id
  JOIN job j ON j.id = t.job_id AND j.status = 'succeeded'
  JOIN metric k ON k.scope = 'output'
    AND (k.current OR r.created_at < now() - make_interval(weeks => current_setting('history.runs')::int * 9 / 10))
 CROSS JOIN LATERAL (SELECT CASE WHEN hashtext(t.id::text || k.name) % 20 <> 0 THEN random() END AS value) f
 ORDER BY t.id;
INSERT INTO measure (id, run_id, model, sample_id, trial_id, metric, version, value)
SELECT pg_temp.new_id(), t.run_id, t.model, t.sample_id, NULL, k.name, k.version, random()
  FROM trial t JOIN metric k ON k.current AND k.scope = 'trials'
 WHERE t.number = 1;

-- Two people have rated the first trial of each model and sample, by four criteria.
INSERT INTO rater (id, name, kind) SELECT pg_temp.new_id(), 'rater-' || n, 'person' FROM generate_series(1, 2) n;
INSERT INTO rubric (id, name, version) VALUES (pg_temp.new_id(), 'history', 1);
INSERT INTO criterion (rubric_id, name, position, title, question, anchors, target)
SELECT r.id, c.name, c.position, c.name, '?', array['0', '1', '2', '3', '4'], 'output'
  FROM rubric r, unnest(array['realism', 'adaptability', 'consistency', 'preservation'])
       WITH ORDINALITY AS c(name, position) WHERE r.name = 'history';
INSERT INTO rating_session (id, name, rater_id, rubric_id, run_id, seed, check_share, min_dwell_s)
SELECT pg_temp.new_id(), run.name, rater.id, rubric.id, run.id, 1, 0, 0
  FROM run, rater, rubric WHERE rater.kind = 'person' AND rubric.name = 'history';
INSERT INTO rating_item (id, session_id, position, kind, purpose, model, run_id, sample_id, trial_ids, job_id)
SELECT pg_temp.new_id(), s.id, row_number() OVER (PARTITION BY s.id ORDER BY t.id), 'output', 'real', t.model, t.run_id,
       t.sample_id, array[t.id], t.job_id
  FROM rating_session s JOIN trial t ON t.run_id = s.run_id AND t.number = 1
  JOIN job j ON j.id = t.job_id AND j.status = 'succeeded';
INSERT INTO rating (id, item_id, criterion, stars, duration_s, ui_version)
SELECT pg_temp.new_id(), i.id, c.name, least(4, floor(random() * 5))::int, 3, 'history'
  FROM rating_item i CROSS JOIN criterion c JOIN rubric r ON r.id = c.rubric_id WHERE r.name = 'history';

DROP FUNCTION pg_temp.new_id();
DROP SEQUENCE made;
