DELETE FROM job_signals
WHERE (batch_id, name) IN (
    SELECT batch_id, name
    FROM job_signals
    WHERE batch_id = ?1
    ORDER BY name
    LIMIT ?2
)
