SELECT batch_id, name, data
FROM job_signals
ORDER BY batch_id, name
