INSERT INTO longshore.tick (schedule, due_at, until_at, ticks, kind, outcome, job_id, decided_at, decided_by, why)
SELECT *
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
            $8::timestamptz[], $9::text[], $10::text[])
