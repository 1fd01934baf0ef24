-- The ids of the next $1 jobs, and the time.
SELECT longshore.now() AS now,
       ARRAY(SELECT nextval('longshore.job_id') FROM generate_series(1, $1)) AS ids
