-- One claim: finds the lanes (type, queue, rank, again), learns how many jobs each gives, and takes them.
-- $1 worker, $2 request, $3 types, $4 how many at most, $5 queues and $6 how many at most from each (NULL: all queues);
-- $7 to $10 lanes that the store knows, with the id below which it has seen none: their start is not read again, because
-- as long as any snapshot is held it is full of rows that are gone.
WITH RECURSIVE clock AS MATERIALIZED (
    SELECT longshore.now() AS now
),
-- Until the commit nobody can delete the registration, so whoever takes the jobs of a dead worker finds these, too.
claimer AS MATERIALIZED (
    SELECT w.worker
    FROM longshore.worker w
    WHERE w.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
    FOR KEY SHARE
),
known AS MATERIALIZED (
    SELECT k.job_type, k.queue, k.rank, k.low
    FROM unnest($7::text[], $8::text[], $9::integer[], $10::bigint[]) k (job_type, queue, rank, low)
),
-- Each step goes to the next lane of its type, or of its type and queue. It begins before the first one. Between a lane
-- and the next known one it looks for others, each time by conditions on single columns: a comparison of rows ends no
-- index scan if its last column decides, so that it would read the whole lane behind.
lane AS (
    SELECT t.job_type, q.queue AS only_queue, COALESCE(q.queue, '') AS queue, -2147483648 AS rank, false AS again,
           0::bigint AS low
    FROM claimer
    CROSS JOIN unnest($3::text[]) t (job_type)
    CROSS JOIN unnest(COALESCE($5::text[], ARRAY[NULL]::text[])) q (queue)
    UNION ALL
    SELECT l.job_type, l.only_queue, n.queue, n.rank, n.again, n.low
    FROM lane l
    -- One row, with NULLs if there is no known lane behind this one.
    CROSS JOIN LATERAL (
        SELECT k.queue, k.rank, k.low
        FROM (SELECT) one
        LEFT JOIN LATERAL (
            SELECT known.queue, known.rank, known.low
            FROM known
            WHERE known.job_type = l.job_type
              AND (known.queue, known.rank, false) > (l.queue, l.rank, l.again)
            ORDER BY known.queue, known.rank
            LIMIT 1
        ) k ON true
    ) k
    -- The jobs of the same rank that came back.
    LEFT JOIN LATERAL (
        SELECT r.rank
        FROM longshore.ready r
        WHERE NOT l.again
          AND r.job_type = l.job_type
          AND r.queue = l.queue
          AND r.rank = l.rank
          AND r.again = true
        ORDER BY r.id
        LIMIT 1
    ) a ON true
    -- Another rank of the same queue.
    LEFT JOIN LATERAL (
        SELECT r.rank, r.again
        FROM longshore.ready r
        WHERE a.rank IS NULL
          AND r.job_type = l.job_type
          AND r.queue = l.queue
          AND r.rank > l.rank
          AND r.rank <= CASE WHEN k.queue = l.queue THEN k.rank - 1 ELSE 2147483647 END
        ORDER BY r.rank, r.again, r.id
        LIMIT 1
    ) b ON true
    -- Another queue: any, or one before that of the known lane.
    LEFT JOIN LATERAL (
        SELECT r.queue, r.rank, r.again
        FROM longshore.ready r
        WHERE a.rank IS NULL
          AND b.rank IS NULL
          AND l.only_queue IS NULL
          AND k.queue IS NULL
          AND r.job_type = l.job_type
          AND r.queue > l.queue
        ORDER BY r.queue, r.rank, r.again, r.id
        LIMIT 1
    ) c ON true
    LEFT JOIN LATERAL (
        SELECT r.queue, r.rank, r.again
        FROM longshore.ready r
        WHERE a.rank IS NULL
          AND b.rank IS NULL
          AND l.only_queue IS NULL
          AND k.queue > l.queue
          AND r.job_type = l.job_type
          AND r.queue > l.queue
          AND r.queue < k.queue
        ORDER BY r.queue, r.rank, r.again, r.id
        LIMIT 1
    ) d ON true
    -- An earlier rank of the queue of the known lane.
    LEFT JOIN LATERAL (
        SELECT r.rank, r.again
        FROM longshore.ready r
        WHERE a.rank IS NULL
          AND b.rank IS NULL
          AND d.rank IS NULL
          AND l.only_queue IS NULL
          AND k.queue > l.queue
          AND r.job_type = l.job_type
          AND r.queue = k.queue
          AND r.rank < k.rank
        ORDER BY r.rank, r.again, r.id
        LIMIT 1
    ) e ON true
    CROSS JOIN LATERAL (
        SELECT CASE
                   WHEN a.rank IS NOT NULL OR b.rank IS NOT NULL THEN l.queue
                   ELSE COALESCE(c.queue, d.queue, k.queue)
               END AS queue,
               COALESCE(a.rank, b.rank, c.rank, d.rank, e.rank, k.rank) AS rank,
               CASE WHEN a.rank IS NOT NULL THEN true ELSE COALESCE(b.again, c.again, d.again, e.again, false) END
                   AS again,
               CASE
                   WHEN a.rank IS NULL AND b.rank IS NULL AND d.rank IS NULL AND e.rank IS NULL
                       THEN COALESCE(k.low, 0)
                   ELSE 0
               END AS low
    ) n
    WHERE n.rank IS NOT NULL
      AND (l.only_queue IS NULL OR n.queue = l.only_queue)
),
open_lane AS MATERIALIZED (
    SELECT row_number() OVER () AS lane, l.job_type, l.queue, l.rank, l.again, l.low,
           LEAST($4::bigint, (SELECT q.room FROM unnest($5::text[], $6::bigint[]) q (queue, room) WHERE q.queue = l.queue))
               AS room
    FROM lane l
    WHERE l.rank > -2147483648
      AND NOT EXISTS (SELECT 1 FROM longshore.queue_pause p WHERE p.queue = l.queue)
),
-- A look without locks, unless one lane gives everything.
quota AS MATERIALIZED (
    SELECT o.lane, o.room AS quota
    FROM open_lane o
    WHERE (SELECT count(*) = 1 FROM open_lane)
    UNION ALL
    SELECT chosen.lane, count(*)
    FROM (
        SELECT placed.lane
        FROM (
            SELECT o.lane, o.rank, o.room, x.id, row_number() OVER (PARTITION BY o.queue ORDER BY o.rank, x.id) AS place
            FROM open_lane o
            CROSS JOIN LATERAL (
                SELECT r.id
                FROM longshore.ready r
                WHERE r.job_type = o.job_type
                  AND r.queue = o.queue
                  AND r.rank = o.rank
                  AND r.again = o.again
                  AND r.id >= o.low
                ORDER BY r.id
                LIMIT o.room
            ) x
            WHERE (SELECT count(*) > 1 FROM open_lane)
        ) placed
        WHERE placed.place <= placed.room
        ORDER BY placed.rank, placed.id
        LIMIT $4
    ) chosen
    GROUP BY chosen.lane
),
-- Others who claim at the same moment skip these rows, and this claim skips theirs.
locked AS MATERIALIZED (
    SELECT x.place, x.id, x.ready_at, x.has_story, o.rank, o.again, o.job_type, o.queue
    FROM quota q
    JOIN open_lane o ON o.lane = q.lane
    CROSS JOIN LATERAL (
        SELECT r.ctid AS place, r.id, r.ready_at, r.has_story
        FROM longshore.ready r
        WHERE r.job_type = o.job_type
          AND r.queue = o.queue
          AND r.rank = o.rank
          AND r.again = o.again
          AND r.id >= o.low
        ORDER BY r.id
        LIMIT q.quota
        FOR UPDATE SKIP LOCKED
    ) x
),
-- LIMIT 1 keeps the planner from joining in any way but by the id. The columns that the writes below read come first,
-- because a column costs as much as all before it.
found AS MATERIALIZED (
    SELECT l.place, COALESCE(LEAST(j.expires_at, j.deadline_at) <= (SELECT clock.now FROM clock), false) AS is_overdue,
           l.id, l.ready_at, l.rank, l.again, l.has_story, l.job_type, l.queue, s.lapsed_worker, s.retry_count,
           s.crash_count, s.deferral_count, j.priority, j.job_data, j.max_retries, j.max_crashes, j.max_deferrals,
           j.timeout_ms, j.expires_at, j.deadline_at, j.metadata, j.ties
    FROM locked l
    CROSS JOIN LATERAL (
        SELECT j.priority, j.job_data, j.max_retries, j.max_crashes, j.max_deferrals, j.timeout_ms, j.expires_at,
               j.deadline_at, j.metadata,
               -- What it has beside itself in one column: 1 a unique key, 2 a parent.
               (j.unique_key IS NOT NULL)::integer + 2 * (j.parent_job_id IS NOT NULL)::integer AS ties
        FROM longshore.job j
        WHERE j.id = l.id
        LIMIT 1
    ) j
    LEFT JOIN LATERAL (
        SELECT s.retry_count, s.crash_count, s.deferral_count, s.lapsed_worker
        FROM longshore.story s
        WHERE l.has_story
          AND s.id = l.id
        LIMIT 1
    ) s ON true
),
number AS MATERIALIZED (
    SELECT nextval('longshore.claim_number') AS claim_number
    WHERE EXISTS (SELECT 1 FROM found WHERE NOT is_overdue)
),
taken AS (
    DELETE FROM longshore.ready
    WHERE ctid = ANY (ARRAY(SELECT found.place FROM found WHERE NOT found.is_overdue))
),
run AS (
    INSERT INTO longshore.running (id, claim_number, worker, job_type, queue, started_at, ready_at, has_story)
    SELECT f.id, (SELECT n.claim_number FROM number n), (SELECT c.worker FROM claimer c), f.job_type, f.queue,
           (SELECT clock.now FROM clock), f.ready_at, f.has_story
    FROM found f
    WHERE NOT f.is_overdue
),
noted AS (
    INSERT INTO longshore.claim (claim_number, worker, request_id, ids)
    SELECT n.claim_number, c.worker, $2, ARRAY(SELECT f.id FROM found f WHERE NOT f.is_overdue)
    FROM number n
    CROSS JOIN claimer c
),
counted AS (
    INSERT INTO longshore.change (queue, pending, running)
    SELECT f.queue, -count(*), count(*)
    FROM found f
    WHERE NOT f.is_overdue
    GROUP BY f.queue
),
-- Another worker than the one that lost the job spends a crash.
told AS (
    UPDATE longshore.story s
    SET crash_count = s.crash_count + (s.lapsed_worker <> c.worker)::integer,
        lapsed_worker = NULL
    FROM claimer c
    WHERE s.id = ANY (ARRAY(SELECT f.id FROM found f WHERE f.lapsed_worker IS NOT NULL AND NOT f.is_overdue))
      AND s.lapsed_worker IS NOT NULL
),
-- Of the jobs that come due next only the first ones are looked at. If none of them is its own, the last one says from
-- when on a claim has to look further.
front AS MATERIALIZED (
    SELECT d.due_at, d.job_type, d.queue
    FROM longshore.later d
    ORDER BY d.due_at, d.id
    LIMIT 64
),
due AS MATERIALIZED (
    SELECT COALESCE(
               min(f.due_at) FILTER (
                   WHERE f.job_type = ANY ($3::text[])
                     AND ($5::text[] IS NULL OR f.queue = ANY ($5::text[]))
                     AND NOT EXISTS (SELECT 1 FROM longshore.queue_pause p WHERE p.queue = f.queue)
               ),
               CASE WHEN count(*) = 64 THEN max(f.due_at) END
           ) AS due_at
    FROM front f
)
-- A row of what holds for the whole claim, then one for each job.
SELECT clock.now, c.worker, n.claim_number, due.due_at,
       (SELECT sum(q.quota) FROM quota q) > (SELECT count(*) FROM locked)
           AND (SELECT count(*) > 1 FROM open_lane) AS is_short,
       -- The numbers of the transactions that run, which decide when what this claim did not see can never come.
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax,
       NULL::bigint AS id, NULL::text AS job_type, NULL::text AS queue, NULL::integer AS priority, NULL::json AS job_data,
       NULL::integer AS max_retries, NULL::integer AS max_crashes, NULL::integer AS max_deferrals,
       NULL::bigint AS timeout_ms, NULL::timestamptz AS expires_at, NULL::timestamptz AS deadline_at,
       NULL::json AS metadata, NULL::timestamptz AS ready_at, NULL::integer AS ties, NULL::integer AS retry_count,
       NULL::integer AS crash_count, NULL::integer AS deferral_count, NULL::integer AS lapsed_worker,
       NULL::integer AS rank, NULL::boolean AS again, NULL::boolean AS is_held
FROM clock
CROSS JOIN due
LEFT JOIN claimer c ON true
LEFT JOIN number n ON true
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       f.id, f.job_type, f.queue, f.priority, f.job_data, f.max_retries, f.max_crashes, f.max_deferrals, f.timeout_ms,
       f.expires_at, f.deadline_at, f.metadata, f.ready_at, f.ties,
       -- A member of a batch has a story to look for, even if there is no row of it.
       COALESCE(f.retry_count, CASE WHEN f.has_story THEN 0 END), f.crash_count, f.deferral_count,
       f.lapsed_worker, f.rank, f.again, false
FROM found f
