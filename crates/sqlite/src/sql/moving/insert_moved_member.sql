INSERT INTO job_members (job_id, batch_id, role, reference, counted)
VALUES (?1, ?2, ?3, ?4, ?5)
