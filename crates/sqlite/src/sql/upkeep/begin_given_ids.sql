INSERT INTO sqlite_sequence (name, seq)
SELECT 'job_queue', ?1
WHERE ?1 > 0
  AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'job_queue')
  AND NOT EXISTS (SELECT 1 FROM job_queue)
