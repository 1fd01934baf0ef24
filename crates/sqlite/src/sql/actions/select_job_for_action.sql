SELECT status, queue, job_type, failure_type, unique_key,
       (SELECT parent.status FROM job_queue AS parent WHERE parent.id = job_queue.parent_job_id), dead_letter_reason,
       worker_id, claim_number, waits
FROM job_queue
WHERE id = ?1
