SELECT minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms
FROM job_minutes
WHERE minute >= ?1
  AND minute <= ?2
ORDER BY minute, queue
