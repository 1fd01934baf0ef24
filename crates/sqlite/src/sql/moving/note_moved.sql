INSERT INTO job_followups (kind, target_id, signal)
VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
