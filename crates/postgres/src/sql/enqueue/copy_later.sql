COPY longshore.later (id, job_type, queue, due_at, is_retry) FROM STDIN (FORMAT binary)
