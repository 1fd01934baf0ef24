UPDATE sqlite_sequence
SET seq = ?1
WHERE name = 'job_queue'
  -- An id is never given again, so the sequence never goes back.
  AND CAST(seq AS INTEGER) < ?1
  AND NOT EXISTS (SELECT 1 FROM job_queue)
