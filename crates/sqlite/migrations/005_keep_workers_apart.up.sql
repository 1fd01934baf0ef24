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

-- The type stands first: a claim starts from its worker's own types, goes from queue to queue of each, and never
-- meets a pair of queue and type that it cannot run, however many of them are ready.
DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (job_type, queue, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;
