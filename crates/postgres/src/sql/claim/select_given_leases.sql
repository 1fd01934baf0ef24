-- The leases that an earlier claim gave, as long as the worker has them: with $3 those of these claim numbers, else those
-- of the request. In the columns of a claim's own rows.
WITH claimer AS MATERIALIZED (
    SELECT w.worker
    FROM longshore.worker w
    WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
),
given AS MATERIALIZED (
    SELECT c.claim_number, c.ids
    FROM longshore.claim c
    WHERE c.worker = (SELECT claimer.worker FROM claimer)
      AND CASE WHEN $3::bigint[] IS NULL THEN c.request_id = $2 ELSE c.claim_number = ANY ($3) END
)
SELECT longshore.now() AS now, c.worker, g.claim_number, NULL::timestamptz AS due_at, false AS is_short,
       0::bigint AS xmin, 0::bigint AS xmax, f.*
FROM (SELECT) one
LEFT JOIN claimer c ON true
LEFT JOIN given g ON true
LEFT JOIN LATERAL (
    SELECT i.id, r.job_type, r.queue, j.priority, j.job_data, j.max_retries, j.max_crashes, j.max_deferrals, j.timeout_ms,
           j.expires_at, j.deadline_at, j.metadata, r.ready_at,
           (j.unique_key IS NOT NULL)::integer + 2 * (j.parent_job_id IS NOT NULL)::integer AS ties,
           COALESCE(s.retry_count, CASE WHEN r.has_story THEN 0 END) AS retry_count,
           s.crash_count, s.deferral_count, NULL::integer AS lapsed_worker, 0 AS rank, true AS again,
           true AS is_held
    FROM unnest(g.ids) i (id)
    CROSS JOIN LATERAL (
        SELECT r.job_type, r.queue, r.ready_at, r.has_story
        FROM longshore.running r
        WHERE r.id = i.id
          AND r.claim_number = g.claim_number
          AND r.worker = c.worker
        LIMIT 1
    ) r
    CROSS JOIN LATERAL (
        SELECT j.*
        FROM longshore.job j
        WHERE j.id = i.id
        LIMIT 1
    ) j
    LEFT JOIN LATERAL (
        SELECT s.retry_count, s.crash_count, s.deferral_count
        FROM longshore.story s
        WHERE r.has_story
          AND s.id = i.id
        LIMIT 1
    ) s ON true
) f ON true
