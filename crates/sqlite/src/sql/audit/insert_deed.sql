INSERT INTO job_audit (at, actor, via, action, target)
VALUES (?1, ?2, ?3, ?4, ?5)
RETURNING id
