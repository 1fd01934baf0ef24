-- The row exists only once a job was inserted.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'job_queue', ?1
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'job_queue')
