INSERT INTO job_queues (queue, paused_at)
VALUES (?1, ?2)
ON CONFLICT (queue) DO UPDATE SET paused_at = COALESCE(paused_at, excluded.paused_at)
