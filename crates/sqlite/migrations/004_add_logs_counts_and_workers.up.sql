-- What an attempt printed and logged: the head and the tail in chunks, the middle cut beyond the bound.
CREATE TABLE job_logs (
    job_id INTEGER NOT NULL REFERENCES job_queue (id) ON DELETE CASCADE,
    claim_number INTEGER NOT NULL,
    chunk_number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    cut_bytes INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL,
    PRIMARY KEY (job_id, claim_number, chunk_number)
) WITHOUT ROWID;

CREATE TABLE job_queues (
    queue TEXT PRIMARY KEY,
    paused_at INTEGER
) WITHOUT ROWID;

-- How many jobs stand in each state of each queue, kept in the transaction that moves them.
CREATE TABLE job_depths (
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (queue, status)
) WITHOUT ROWID;

-- What ended in each minute of each queue; minute is whole minutes since 1970 (UTC), *_ms are sums.
CREATE TABLE job_minutes (
    minute INTEGER NOT NULL,
    queue TEXT NOT NULL,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    retried INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    waited_ms INTEGER NOT NULL DEFAULT 0,
    ran_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, queue)
) WITHOUT ROWID;

CREATE TABLE job_workers (
    worker_id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    heartbeat_number INTEGER NOT NULL DEFAULT 0,
    lease_ms INTEGER NOT NULL,
    queues TEXT NOT NULL,
    job_types TEXT NOT NULL,
    concurrency INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO job_depths (queue, status, jobs)
SELECT queue, status, count(*)
FROM job_queue
GROUP BY queue, status;

-- These triggers are for everybody else: a plain INSERT, an UPDATE or a DELETE from any program keeps the counts
-- true and waits for its parent. The engine switches triggers off on its own writing connection and does
-- the same once for each batch. The order in which triggers fire is not defined, so a count may pass through -1.
CREATE TRIGGER job_queue_inserted AFTER INSERT ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (NEW.queue, NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_moved AFTER UPDATE OF queue, status ON job_queue
WHEN OLD.queue <> NEW.queue OR OLD.status <> NEW.status
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    INSERT INTO job_depths (queue, status, jobs) VALUES (NEW.queue, NEW.status, 1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER job_queue_deleted AFTER DELETE ON job_queue
BEGIN
    INSERT INTO job_depths (queue, status, jobs) VALUES (OLD.queue, OLD.status, -1)
    ON CONFLICT (queue, status) DO UPDATE SET jobs = jobs - 1;
    DELETE FROM job_attempts WHERE job_id = OLD.id;
    DELETE FROM job_logs WHERE job_id = OLD.id;
END;

CREATE TRIGGER job_queue_waits_for_parent AFTER INSERT ON job_queue
WHEN NEW.status = 'pending' AND NEW.parent_job_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND status IN ('completed', 'cancelled', 'dead_letter'))
BEGIN
    UPDATE job_queue SET status = 'blocked' WHERE id = NEW.id;
END;

CREATE TRIGGER job_queue_lost_its_parent AFTER INSERT ON job_queue
WHEN NEW.status = 'pending' AND NEW.parent_job_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM job_queue WHERE id = NEW.parent_job_id AND status IN ('cancelled', 'dead_letter'))
BEGIN
    UPDATE job_queue
    SET status = 'dead_letter',
        dead_letter_reason = 'its parent job ' || NEW.parent_job_id || ' had not completed',
        moved_to_dead_letter_at = NEW.created_at
    WHERE id = NEW.id;
END;
