-- Its number lies in the range of the database's ids, which the last id of a job shows.
INSERT INTO job_batches (id, name, created_at, closed_at)
SELECT max(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'job_batches'), 0), ?1) + 1, ?2, ?3, ?4
