-- The claim under which a suspected job runs alone in its process; a death then is surely its own.
ALTER TABLE job_queue ADD COLUMN isolated_claim INTEGER;
-- The worker whose lease ended while the job ran, though nobody saw it die; the crash counts once another one claims it.
ALTER TABLE job_queue ADD COLUMN lapsed_worker_id TEXT;

-- Who does what must be done by one process at a time, such as the comparison of the counts. `term` is the fence.
CREATE TABLE job_duties (
    duty TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    term INTEGER NOT NULL,
    taken_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Which boot of the machine the worker began under, and which file shows that it lives: another boot proves its death,
-- and another file in that place proves nothing.
ALTER TABLE job_workers ADD COLUMN boot_id TEXT;
ALTER TABLE job_workers ADD COLUMN file_id INTEGER;
-- Grows with each write by which an observer makes sure that the worker could have written, too.
ALTER TABLE job_workers ADD COLUMN suspicion_count INTEGER NOT NULL DEFAULT 0;
