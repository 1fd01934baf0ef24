-- When a claim of these types ($1) and queues ($2, NULL: all) has to look again. Of the jobs that come due next only the
-- first ones are looked at. If none of them is its own, the last one says from when on it has to look further.
SELECT COALESCE(
           min(f.due_at) FILTER (
               WHERE f.job_type = ANY ($1::text[])
                 AND ($2::text[] IS NULL OR f.queue = ANY ($2::text[]))
                 AND NOT EXISTS (SELECT 1 FROM longshore.queue_pause p WHERE p.queue = f.queue)
           ),
           CASE WHEN count(*) = 64 THEN max(f.due_at) END
       ) AS due_at
FROM (
    SELECT d.due_at, d.job_type, d.queue
    FROM longshore.later d
    ORDER BY d.due_at, d.id
    LIMIT 64
) f
