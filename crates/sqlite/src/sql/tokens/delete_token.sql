DELETE FROM job_tokens
WHERE name = ?1
