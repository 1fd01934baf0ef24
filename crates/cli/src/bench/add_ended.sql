INSERT INTO job_queue (job_type, job_data, status, started_at, completed_at, worker_id, claim_number)
WITH RECURSIVE numbers (number) AS (
    SELECT 1
    UNION ALL
    SELECT number + 1
    FROM numbers
    WHERE number < ?3
)
SELECT ?1, ?2, 'completed', 1795467849179, 1795467849180, 'k3J9xQ0aZ7b', 1
FROM numbers
