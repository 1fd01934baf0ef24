SELECT coalesce(max(CAST(seq AS INTEGER)), 0) AS last_id
FROM sqlite_sequence
WHERE name = 'job_queue'
