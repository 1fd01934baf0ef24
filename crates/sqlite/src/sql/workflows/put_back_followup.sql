-- One that was noted anew meanwhile begins from the start.
INSERT INTO job_followups (kind, target_id, signal, revives, after_job)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (kind, target_id, signal, revives) DO NOTHING
