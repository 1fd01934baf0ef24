INSERT INTO longshore.ready (job_type, queue, rank, again, id, ready_at, has_story)
SELECT job_type, queue, -GREATEST(priority, -2147483647), true, id, ready_at, NULLIF(has_story, false)
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::boolean[])
    AS moved (id, job_type, queue, priority, ready_at, has_story)
