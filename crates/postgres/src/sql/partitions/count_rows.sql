-- How many jobs from $1 to before $2 there are, and of how many the state is known, as one snapshot sees them.
WITH RECURSIVE lane AS (
    (
        SELECT job_type, queue, rank, again
        FROM longshore.ready
        ORDER BY job_type, queue, rank, again
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM lane
    CROSS JOIN LATERAL (
        SELECT r.job_type, r.queue, r.rank, r.again
        FROM longshore.ready AS r
        WHERE (r.job_type, r.queue, r.rank, r.again) > (lane.job_type, lane.queue, lane.rank, lane.again)
        ORDER BY r.job_type, r.queue, r.rank, r.again
        LIMIT 1
    ) AS next
)
SELECT (SELECT count(*) FROM longshore.job WHERE id >= $1 AND id < $2) AS jobs,
       (SELECT count(*) FROM longshore.ended WHERE id >= $1 AND id < $2)
           + (SELECT count(*) FROM longshore.later WHERE id >= $1 AND id < $2)
           + (SELECT count(*) FROM longshore.blocked WHERE id >= $1 AND id < $2)
           + (SELECT count(*) FROM longshore.running WHERE id >= $1 AND id < $2)
           + (
               SELECT COALESCE(sum(found.jobs), 0)
               FROM lane
               CROSS JOIN LATERAL (
                   SELECT count(*) AS jobs
                   FROM longshore.ready AS r
                   WHERE r.job_type = lane.job_type
                     AND r.queue = lane.queue
                     AND r.rank = lane.rank
                     AND r.again = lane.again
                     AND r.id >= $1
                     AND r.id < $2
               ) AS found
           )::bigint AS known
