-- Creates one job that may run at once. It is leased to the worker $17 if nothing else may run before it: no job is due,
-- its queue is not paused, and nothing is ready of the types $18 in the queues $19 (NULL: all) from which that worker
-- claims; and if the limits have the version $20 that the caller knows. Else it is ready. Gives no row if its unique key is taken or was passed on by a running job.
WITH clock AS MATERIALIZED (SELECT longshore.now() AS now),
given AS MATERIALIZED (
    SELECT nextval('longshore.job_id') AS id, t.*, c.now
    FROM clock AS c,
         unnest(
             $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bigint[], $7::integer[],
             $8::integer[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[],
             $14::text[], $15::bigint[], $16::text[]
         ) AS t (
             job_type, job_data, queue, priority, at, delay_ms, max_retries,
             max_crashes, max_deferrals, timeout_ms, expires_in_ms, deadline_in_ms, metadata,
             unique_key, parent_job_id, limit_key
         )
),
keyed AS (
    INSERT INTO longshore.unique_key (unique_key, id)
    SELECT g.unique_key, g.id
    FROM given AS g
    WHERE g.unique_key IS NOT NULL
      AND NOT EXISTS (
          SELECT
          FROM longshore.unique_key AS u
          WHERE u.unique_key > (g.unique_key || chr(31)) COLLATE "C"
            AND u.unique_key < (g.unique_key || ' ') COLLATE "C"
      )
    ON CONFLICT DO NOTHING
    RETURNING id
),
new AS MATERIALIZED (
    SELECT g.*
    FROM given AS g
    LEFT JOIN keyed AS k ON k.id = g.id
    WHERE g.unique_key IS NULL
       OR k.id IS NOT NULL
),
-- Until the commit nobody can delete the registration, so whoever takes the jobs of a dead worker finds this one, too.
claimer AS MATERIALIZED (
    SELECT w.worker
    FROM longshore.worker AS w
    WHERE w.worker = (SELECT n.worker FROM longshore.worker_name AS n WHERE n.worker_id = $17)
    FOR KEY SHARE
),
taker AS MATERIALIZED (
    SELECT c.worker
    FROM claimer AS c
    CROSS JOIN new
    WHERE NOT EXISTS (SELECT FROM longshore.queue_pause AS p WHERE p.queue = new.queue)
      AND (SELECT v.version FROM longshore.limit_version AS v) = $20
      AND COALESCE((SELECT l.due_at FROM longshore.later AS l ORDER BY l.due_at, l.id LIMIT 1) > new.now, true)
      AND NOT EXISTS (
          SELECT
          FROM unnest($18::text[]) AS t (job_type)
          CROSS JOIN unnest(COALESCE($19::text[], ARRAY[NULL]::text[])) AS q (queue)
          CROSS JOIN LATERAL (
              (
                  SELECT
                  FROM ONLY longshore.ready AS r
                  WHERE q.queue IS NULL
                    AND r.job_type = t.job_type
                  ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
                  LIMIT 1
              )
              UNION ALL
              (
                  SELECT
                  FROM ONLY longshore.ready AS r
                  WHERE r.job_type = t.job_type
                    AND r.queue = q.queue
                  ORDER BY r.job_type, r.queue, r.rank, r.again, r.id
                  LIMIT 1
              )
          ) AS r
      )
),
number AS MATERIALIZED (
    SELECT nextval('longshore.claim_number') AS claim_number, worker
    FROM taker
),
bodies AS (
    INSERT INTO longshore.job (
        id, job_type, queue, priority, job_data, created_at, max_retries, max_crashes, max_deferrals, timeout_ms,
        expires_at, deadline_at, unique_key, limit_key, metadata
    )
    SELECT id, job_type, queue, priority, job_data::json, now, max_retries, max_crashes, max_deferrals, timeout_ms,
           now + expires_in_ms * interval '1 millisecond',
           now + deadline_in_ms * interval '1 millisecond',
           unique_key, limit_key, metadata::json
    FROM new
),
run AS (
    INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at)
    SELECT new.id, n.claim_number, n.worker, new.job_type, new.queue, new.now, new.now
    FROM new
    CROSS JOIN number AS n
),
noted AS (
    INSERT INTO longshore.claim (claim_number, worker, request_id, ids)
    SELECT n.claim_number, n.worker, -9223372036854775808, ARRAY[new.id]
    FROM new
    CROSS JOIN number AS n
),
readied AS (
    INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at)
    SELECT job_type, queue, -GREATEST(priority, -2147483647), false, id, now
    FROM new
    WHERE NOT EXISTS (SELECT FROM number)
),
counted AS (
    INSERT INTO longshore.change (queue, pending, running)
    SELECT new.queue, CASE WHEN n.claim_number IS NULL THEN 1 END, CASE WHEN n.claim_number IS NOT NULL THEN 1 END
    FROM new
    LEFT JOIN number AS n ON true
)
SELECT new.id, n.claim_number, new.now
FROM new
LEFT JOIN number AS n ON true
