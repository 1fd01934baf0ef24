-- What runs and what waits of a key in all queues, its rate, and when a lane of it opens. What stands in a lane of an
-- earlier key may have another one now.
SELECT (
           SELECT count(*)
           FROM job_lanes AS own
           CROSS JOIN job_queue AS job INDEXED BY job_queue_lanes ON job.lane = own.id AND job.status = 'running'
           WHERE own.job_type = ?1
             AND own.limit_key = ?2
             AND own.key_revision = (SELECT key_revision FROM job_limits WHERE scope = 'type' AND name = ?1)
       ),
       (
           SELECT count(*)
           FROM (
               SELECT 1
               FROM job_lanes AS own
               CROSS JOIN job_queue AS job INDEXED BY job_queue_lanes
                 ON job.lane = own.id AND job.status = 'pending' AND job.run_at IS NULL
               WHERE own.job_type = ?1
                 AND own.limit_key = ?2
                 AND own.key_revision = (SELECT key_revision FROM job_limits WHERE scope = 'type' AND name = ?1)
               LIMIT ?3
           )
       ),
       COALESCE(max(arrival), 0),
       max(closed_until)
FROM job_lanes
WHERE job_type = ?1
  AND limit_key = ?2
