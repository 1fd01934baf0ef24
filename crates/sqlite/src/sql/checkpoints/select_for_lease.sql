-- Only jobs that were claimed before are looked up, so a first attempt does not pay for it.
SELECT max(CASE step WHEN '' THEN value END), sum(step <> '')
FROM job_checkpoints
WHERE job_id = ?1
