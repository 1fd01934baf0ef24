-- New budgets; what the row of the ended job said of the last attempt is kept here.
INSERT INTO longshore.story (id, claim_number, worker, started_at)
SELECT id, claim_number, worker, started_at
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::timestamptz[]) AS ended (id, claim_number, worker, started_at)
ON CONFLICT (id) DO UPDATE
SET retry_count = 0,
    crash_count = 0,
    deferral_count = 0,
    claim_number = COALESCE(excluded.claim_number, story.claim_number),
    worker = COALESCE(excluded.worker, story.worker),
    started_at = COALESCE(excluded.started_at, story.started_at),
    progress = NULL,
    progress_message = NULL,
    lapsed_worker = NULL
