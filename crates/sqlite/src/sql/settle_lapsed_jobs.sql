-- After the claim of jobs that a worker lost by not extending its lease: another worker's claim spends a crash. A
-- statement of its own, so that the claim of all other jobs costs no more. Held at the end of what a count can be.
UPDATE job_queue
SET crash_count = crash_count + (lapsed_worker_id <> ?2 AND crash_count < 4294967295),
    lapsed_worker_id = NULL
WHERE id IN (SELECT value FROM rarray(?1))
  AND worker_id = ?2
  AND status = 'running'
