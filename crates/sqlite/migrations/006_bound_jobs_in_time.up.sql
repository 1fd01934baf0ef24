-- After this instant no attempt begins: a job that waits ends as cancelled.
ALTER TABLE job_queue ADD COLUMN expires_at INTEGER CHECK (expires_at IS NULL OR typeof(expires_at) = 'integer');
-- After this instant no attempt begins or goes on: a job that has not ended becomes a dead letter.
ALTER TABLE job_queue ADD COLUMN deadline_at INTEGER CHECK (deadline_at IS NULL OR typeof(deadline_at) = 'integer');
-- When the store saw that the earlier of the two had passed and that the job had ended; the index below drops it then.
ALTER TABLE job_queue ADD COLUMN overdue_seen_at INTEGER;

-- The jobs whose expiry or deadline is still to be looked at, by the earlier of the two. No claim and no outcome changes
-- a column that stands here, so only jobs that have such an instant pay for the index. That is also why it has no
-- condition on the status: each move of each job would have to open it.
CREATE INDEX job_queue_overdue ON job_queue (min(COALESCE(expires_at, deadline_at), COALESCE(deadline_at, expires_at)))
    WHERE COALESCE(expires_at, deadline_at) IS NOT NULL AND overdue_seen_at IS NULL;

-- For plain SQL: a job that is put back, or gets another instant, is looked at again.
CREATE TRIGGER job_queue_is_timed_anew AFTER UPDATE OF status, expires_at, deadline_at ON job_queue
WHEN NEW.overdue_seen_at IS NOT NULL AND NEW.status NOT IN ('completed', 'cancelled', 'dead_letter')
BEGIN
    UPDATE job_queue
    SET overdue_seen_at = NULL
    WHERE id = NEW.id;
END;
