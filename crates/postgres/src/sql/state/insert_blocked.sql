INSERT INTO longshore.blocked (id, parent_job_id, queue, due_at, ready_at, has_story, unmet)
SELECT id, parent_job_id, queue, due_at, ready_at, NULLIF(has_story, false), unmet
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::boolean[],
            $7::integer[]) AS moved (id, parent_job_id, queue, due_at, ready_at, has_story, unmet)
