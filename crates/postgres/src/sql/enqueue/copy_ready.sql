COPY longshore.ready (job_type, queue, rank, again, id, ready_at) FROM STDIN (FORMAT binary)
