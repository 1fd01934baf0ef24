-- Not while a job of its own is left behind: its row is what brings the next look for dead workers back to it.
DELETE FROM job_workers
WHERE worker_id = ?1
  AND NOT EXISTS (
      SELECT 1
      FROM job_queue INDEXED BY job_queue_running
      WHERE job_queue.worker_id = job_workers.worker_id
        AND status = 'running'
  )
