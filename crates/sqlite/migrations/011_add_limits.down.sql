DROP TRIGGER job_queue_frees_lane;
DROP TRIGGER job_queue_frees_place;
DROP TRIGGER job_queue_misses_lane;
DROP TRIGGER job_queue_opens_lane;
DROP TRIGGER job_queue_changes_lane;
DROP TRIGGER job_queue_finds_lane;
DROP TRIGGER job_queue_takes_lane;
DROP VIEW job_lane_keys;
DROP INDEX job_queue_lanes;
DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (job_type, queue, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL;
DROP TABLE job_lanes;
DROP TABLE job_limits;
ALTER TABLE job_queue DROP COLUMN lane;
ALTER TABLE job_queue DROP COLUMN limit_key;
