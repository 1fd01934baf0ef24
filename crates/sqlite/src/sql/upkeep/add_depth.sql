INSERT INTO job_depths (queue, status, jobs)
VALUES (?1, ?2, ?3)
ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + excluded.jobs
