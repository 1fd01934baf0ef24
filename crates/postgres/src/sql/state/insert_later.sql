INSERT INTO longshore.later (id, job_type, queue, due_at, is_retry, has_story)
SELECT id, job_type, queue, due_at, is_retry, NULLIF(has_story, false)
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::boolean[])
    AS moved (id, job_type, queue, due_at, is_retry, has_story)
