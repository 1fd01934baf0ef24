SELECT status, queue, job_type,
       EXISTS (
           SELECT 1
           FROM job_waits INDEXED BY job_waits_unmet
           WHERE job_id = ?1
             AND state IN ('waiting', 'failed')
       ),
       dead_letter_reason
FROM job_queue
WHERE id = ?1
