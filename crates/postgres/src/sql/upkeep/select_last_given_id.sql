SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last_id
FROM longshore.job_id
