-- Attempts that succeeded. $1 worker; $2 to $6 for each attempt its job, its claim, how many milliseconds ago it ended
-- and began (-1: it never did), and its result (no element at all if there is none); $7 the jobs that may have a unique
-- key, $8 the claims of which nothing is left. The jobs are sorted, and each is named once: width_bucket() gives the
-- place of one by a binary search. A join of the arrays would be planned without knowing how long they are, and the plan
-- for a few is a nested loop, which takes a quarter of a second for a thousand.
WITH clock AS MATERIALIZED (
    SELECT n.now, (date_part('epoch', n.now) * 1000)::bigint AS now_ms
    FROM longshore.now() n (now)
),
worker AS MATERIALIZED (
    SELECT n.worker
    FROM longshore.worker_name n
    WHERE n.worker_id = $1
),
gone AS (
    DELETE FROM longshore.running r
    WHERE r.id = ANY ($2::bigint[])
      AND r.claim_number = ($3::bigint[])[width_bucket(r.id, $2::bigint[])]
      AND r.worker = (SELECT worker.worker FROM worker)
    RETURNING r.id, r.claim_number, r.worker, r.queue, r.ready_at, r.started_at, r.has_story, r.cancel_requested_at,
              width_bucket(r.id, $2::bigint[]) AS place
),
-- What the counts need is computed in whole milliseconds: arithmetic with intervals costs several times as much.
timed AS (
    SELECT g.id, g.claim_number, g.worker, g.queue, g.ready_at, g.has_story, g.cancel_requested_at, g.place,
           GREATEST((SELECT c.now FROM clock c) - ($4::bigint[])[g.place] * interval '1 millisecond', 'epoch') AS ended_at,
           CASE
               WHEN ($5::bigint[])[g.place] < 0 THEN g.started_at
               ELSE GREATEST((SELECT c.now FROM clock c) - ($5::bigint[])[g.place] * interval '1 millisecond', 'epoch')
           END AS started_at,
           GREATEST((SELECT c.now_ms FROM clock c) - ($4::bigint[])[g.place], 0) AS ended_ms,
           CASE
               WHEN ($5::bigint[])[g.place] >= 0 THEN GREATEST((SELECT c.now_ms FROM clock c) - ($5::bigint[])[g.place], 0)
           END AS started_ms
    FROM gone g
),
kept AS (
    INSERT INTO longshore.ended (
        id, status, queue, ended_at, ready_at, started_at, claim_number, worker, has_story, cancel_requested_at, result
    )
    SELECT t.id, 1, t.queue, t.ended_at, t.ready_at, t.started_at, t.claim_number, t.worker, t.has_story,
           t.cancel_requested_at, ($6::json[])[t.place]
    FROM timed t
),
counted AS (
    INSERT INTO longshore.change (queue, running, completed, minute, minute_completed, waited_ms, ran_ms)
    SELECT t.queue, -count(*), count(*), to_timestamp(t.ended_ms / 60000 * 60), count(*),
           sum(GREATEST(t.started_ms - date_part('epoch', t.ready_at) * 1000, 0)),
           sum(GREATEST(t.ended_ms - t.started_ms, 0)) FILTER (WHERE t.started_ms IS NOT NULL)
    FROM timed t
    GROUP BY t.queue, t.ended_ms / 60000
),
-- Nearly always $7 is empty, and then nothing is looked for.
unkeyed AS (
    DELETE FROM longshore.unique_key
    WHERE id = ANY (
        ARRAY(
            SELECT g.id
            FROM gone g
            WHERE cardinality($7::bigint[]) > 0
              AND g.id = ($7::bigint[])[width_bucket(g.id, $7::bigint[])]
        )
    )
),
used_up AS (
    DELETE FROM longshore.claim c
    WHERE c.claim_number = ANY ($8::bigint[])
      AND c.worker = (SELECT worker.worker FROM worker)
)
-- Which ones only if some are missing. With a story there may be a batch or a job that hears of the end.
SELECT count(*) AS jobs,
       CASE WHEN count(*) < cardinality($2::bigint[]) THEN (SELECT array_agg(g.id) FROM gone g) END AS ids,
       CASE WHEN count(*) < cardinality($2::bigint[]) THEN (SELECT array_agg(g.claim_number) FROM gone g) END
           AS claim_numbers,
       bool_or(g.has_story) AS have_stories
FROM gone g
