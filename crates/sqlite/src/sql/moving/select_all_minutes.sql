SELECT minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms
FROM job_minutes
ORDER BY minute, queue
