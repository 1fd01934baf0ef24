UPDATE sqlite_sequence
SET seq = max(seq, ?1)
WHERE name = 'job_queue'
