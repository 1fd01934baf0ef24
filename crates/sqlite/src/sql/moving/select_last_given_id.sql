SELECT max(seq)
FROM sqlite_sequence
WHERE name = 'job_queue'
