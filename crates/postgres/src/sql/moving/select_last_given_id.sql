-- A sequence that was never used has given nothing.
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END
FROM longshore.job_id
