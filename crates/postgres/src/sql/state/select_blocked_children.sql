-- A statement of its own after the parents have ended: so it sees the children that were committed until then.
SELECT id, parent_job_id
FROM longshore.blocked
WHERE parent_job_id = ANY($1)
ORDER BY id
FOR UPDATE
