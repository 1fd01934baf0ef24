-- What attempts store with their job for later attempts: where they stand (step ''), and the result of each step that ran
-- once. Jobs that store nothing have no row here.
CREATE TABLE job_checkpoints (
    job_id INTEGER NOT NULL REFERENCES job_queue (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    saved_at INTEGER NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (job_id, step)
) WITHOUT ROWID;

-- For other programs, which may have foreign keys switched off. REPLACE deletes a row without a delete trigger: the new row
-- may have the id of the old one, or `job_replaced` notes the old one.
CREATE TRIGGER job_queue_forgets_checkpoints AFTER DELETE ON job_queue
BEGIN
    DELETE FROM job_checkpoints WHERE job_id = OLD.id;
END;

CREATE TRIGGER job_queue_begins_without_checkpoints AFTER INSERT ON job_queue
BEGIN
    DELETE FROM job_checkpoints WHERE job_id = NEW.id;
END;

CREATE TRIGGER job_replaced_forgets_checkpoints AFTER DELETE ON job_replaced
WHEN NOT EXISTS (SELECT 1 FROM job_queue WHERE id = OLD.id)
BEGIN
    DELETE FROM job_checkpoints WHERE job_id = OLD.id;
END;
