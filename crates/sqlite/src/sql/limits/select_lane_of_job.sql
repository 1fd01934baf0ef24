-- None while the job stands in a lane of an earlier key.
SELECT own.id, own.job_type, own.queue, own.limit_key, own.head_priority, own.turn
FROM job_queue AS job
JOIN job_lanes AS own ON own.id = job.lane
JOIN job_limits AS type
  ON type.scope = 'type' AND type.name = own.job_type AND type.key_revision = own.key_revision
WHERE job.id = ?1
