SELECT own.id, own.job_type, own.queue, own.limit_key, own.head_priority, own.turn
FROM job_queue AS job
JOIN job_lanes AS own ON own.id = job.lane
WHERE job.id = ?1
