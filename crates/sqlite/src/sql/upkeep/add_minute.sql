INSERT INTO job_minutes (minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (minute, queue) DO UPDATE
SET completed = completed + excluded.completed,
    failed = failed + excluded.failed,
    retried = retried + excluded.retried,
    cancelled = cancelled + excluded.cancelled,
    waited_ms = waited_ms + excluded.waited_ms,
    ran_ms = ran_ms + excluded.ran_ms
