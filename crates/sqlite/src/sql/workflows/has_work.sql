SELECT EXISTS (SELECT 1 FROM job_followups)
    OR EXISTS (
        SELECT 1
        FROM job_waits INDEXED BY job_waits_due
        WHERE timeout_at <= ?1
          AND state = 'waiting'
    )
