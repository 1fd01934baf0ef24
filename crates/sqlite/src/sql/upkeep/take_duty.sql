-- Only if no other store has taken it since it was read.
INSERT INTO job_duties (duty, holder, term, taken_at)
VALUES (?1, ?2, ?4, ?5)
ON CONFLICT (duty) DO UPDATE
SET holder = excluded.holder,
    term = excluded.term,
    taken_at = excluded.taken_at
WHERE term = ?3
