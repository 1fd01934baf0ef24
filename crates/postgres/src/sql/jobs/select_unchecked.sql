-- No parent if the job is no longer blocked.
SELECT unchecked.id, blocked.parent_job_id
FROM longshore.blocked_unchecked unchecked
LEFT JOIN longshore.blocked ON blocked.id = unchecked.id
LIMIT $1
