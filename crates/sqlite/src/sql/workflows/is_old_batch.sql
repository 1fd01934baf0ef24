SELECT EXISTS (
    SELECT 1
    FROM job_batches
    WHERE id = ?1
      AND ended_at < ?2
      AND NOT EXISTS (
          SELECT 1
          FROM job_members INDEXED BY job_members_of_batch
          WHERE batch_id = ?1
      )
      AND NOT EXISTS (
          SELECT 1
          FROM job_waits INDEXED BY job_waits_waiting
          WHERE kind IN ('batch', 'signal')
            AND target_id = ?1
            AND state = 'waiting'
      )
)
