INSERT INTO job_members (job_id, batch_id, role, reference)
VALUES (?1, ?2, ?3, ?4)
