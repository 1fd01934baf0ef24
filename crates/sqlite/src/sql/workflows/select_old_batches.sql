-- The next batches, whether each ended before an instant (NULL if it has not), and whether no job is left that belongs to
-- it or waits for it.
SELECT id, ended_at < ?3,
       NOT EXISTS (
           SELECT 1
           FROM job_members INDEXED BY job_members_of_batch
           WHERE batch_id = job_batches.id
       )
       AND NOT EXISTS (
           SELECT 1
           FROM job_waits INDEXED BY job_waits_waiting
           WHERE kind IN ('batch', 'signal')
             AND target_id = job_batches.id
             AND state = 'waiting'
       )
FROM job_batches
WHERE id > ?1
ORDER BY id
LIMIT ?2
