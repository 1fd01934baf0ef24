-- Not while it still has a job: the next search for dead workers finds it by its row.
DELETE FROM job_workers
WHERE worker_id = ?1
  AND NOT EXISTS (
      SELECT 1
      FROM job_queue INDEXED BY job_queue_running
      WHERE job_queue.worker_id = job_workers.worker_id
        AND status = 'running'
  )
