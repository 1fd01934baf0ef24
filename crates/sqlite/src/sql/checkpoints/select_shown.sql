-- Long results of steps are not shown: ?2 is the limit. length() of text counts characters, of a blob bytes.
SELECT step, attempt, saved_at,
       CASE WHEN step = '' OR length(CAST(value AS BLOB)) <= ?2 THEN value END,
       length(CAST(value AS BLOB))
FROM job_checkpoints
WHERE job_id = ?1
ORDER BY step
