INSERT INTO job_followups (kind, target_id, signal)
VALUES (?1, ?2, ?3)
ON CONFLICT (kind, target_id, signal, revives) DO UPDATE SET after_job = 0
