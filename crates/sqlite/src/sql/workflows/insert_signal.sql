INSERT INTO job_signals (batch_id, name, data, sent_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (batch_id, name) DO NOTHING
