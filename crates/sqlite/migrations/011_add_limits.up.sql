-- A key that an enqueue sets by hand, such as a tenant. It comes before the one in the payload.
ALTER TABLE job_queue ADD COLUMN limit_key TEXT CHECK (limit_key > '' AND limit_key < x'');
-- The lane in which a job of a limited type stands, from its enqueue on. NULL if its type has no limit. 0 asks the trigger
-- job_queue_finds_lane for the right one.
ALTER TABLE job_queue ADD COLUMN lane INTEGER;

-- The rules of queues and types. A rule that was set by hand wins over the configured one. A change of a rule changes
-- SQLite's schema version, so that a store which compares that reads the rules again.
CREATE TABLE job_limits (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope = 'queue' OR scope = 'type'),
    name TEXT NOT NULL CHECK (name > '' AND name < x''),
    configured TEXT CHECK (configured IS NULL OR json_valid(configured)),
    manual TEXT CHECK (manual IS NULL OR json_valid(manual)),
    -- What follows from the rule, for the triggers. Jobs of the type stand in lanes.
    has_lanes INTEGER NOT NULL DEFAULT 0,
    -- The places of the key in the payload: an array of paths. NULL if the type has no key.
    key_paths TEXT CHECK (key_paths IS NULL OR json_valid(key_paths)),
    -- Grows with each change of the rule, and with each change of the places of the key.
    revision INTEGER NOT NULL DEFAULT 1,
    key_revision INTEGER NOT NULL DEFAULT 1,
    -- The state of the rate, in microseconds since 1970; see Arrival in the code.
    arrival INTEGER NOT NULL DEFAULT 0,
    -- A handler was asked to slow down: until then nothing of the type starts.
    closed_until INTEGER,
    -- The turn of the lane that was served last.
    turn INTEGER NOT NULL DEFAULT 0,
    last_lane INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, name)
);

-- The lanes: one for each type, queue and key that has or had jobs. An id is never given again. The number of the type is
-- in its upper half, so that the running jobs of a type are one range of the index below.
CREATE TABLE job_lanes (
    id INTEGER PRIMARY KEY,
    job_type TEXT NOT NULL,
    queue TEXT NOT NULL,
    -- Empty for jobs without a key.
    limit_key TEXT NOT NULL,
    key_revision INTEGER NOT NULL,
    -- The revision of the rule under which it was opened last.
    revision INTEGER NOT NULL,
    -- Whether it may give a job. It may be open and give none: then a claim closes it. It is never closed although it
    -- could give one, except until opens_at.
    is_open INTEGER NOT NULL DEFAULT 1,
    opens_at INTEGER,
    -- At least the priority of its first ready job.
    head_priority INTEGER NOT NULL,
    turn INTEGER NOT NULL DEFAULT 0,
    arrival INTEGER NOT NULL DEFAULT 0,
    closed_until INTEGER,
    served_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job_type, limit_key, queue, key_revision)
);

-- A claim reads the lanes that may give from the front, and never a closed one.
CREATE INDEX job_lanes_open ON job_lanes (job_type, queue, head_priority DESC, turn, limit_key, id) WHERE is_open;
CREATE INDEX job_lanes_closed ON job_lanes (job_type, opens_at) WHERE opens_at IS NOT NULL;
CREATE INDEX job_lanes_unsettled ON job_lanes (job_type, revision);
CREATE INDEX job_lanes_idle ON job_lanes (served_at);

-- Jobs in lanes are outside of the claim index, so that a claim never meets those that may not start.
DROP INDEX job_queue_ready;
CREATE INDEX job_queue_ready ON job_queue (job_type, queue, priority DESC, id)
    WHERE status = 'pending' AND run_at IS NULL AND lane IS NULL;
-- The jobs in lanes that have not ended: the ready ones of a lane in order, and the running ones of a lane or a type, which
-- are the places that are taken.
CREATE INDEX job_queue_lanes ON job_queue (status, lane, run_at, priority DESC, id)
    WHERE lane IS NOT NULL
      AND (status = 'pending' OR status = 'running' OR status = 'retrying' OR status = 'blocked');

-- The key of each job of a limited type. A text of 1 to 200 bytes, or a whole number; KeyPointer in the code must agree.
CREATE VIEW job_lane_keys AS
SELECT job.id AS job_id,
       job.job_type AS job_type,
       COALESCE(job.queue, 'default') AS queue,
       type.number AS number,
       type.revision AS revision,
       type.key_revision AS key_revision,
       CASE WHEN type.key_paths IS NULL THEN '' ELSE COALESCE(
           job.limit_key,
           (
               SELECT CAST(json_extract(job.job_data, path.value) AS TEXT)
               FROM json_each(type.key_paths) AS path
               WHERE json_type(job.job_data, path.value) IN ('text', 'integer')
                 AND typeof(json_extract(job.job_data, path.value)) IN ('text', 'integer')
                 AND length(CAST(json_extract(job.job_data, path.value) AS BLOB)) BETWEEN 1 AND 200
                 AND instr(json_extract(job.job_data, path.value), char(0)) = 0
               LIMIT 1
           ),
           ''
       ) END AS limit_key
FROM job_queue AS job
JOIN job_limits AS type ON type.scope = 'type' AND type.name = job.job_type
WHERE type.has_lanes;

-- The engine, which has the triggers of the database off, has copies of those below on its connection while there is a
-- limit. So every writer keeps the lanes in the same way. A conflict clause of the outer statement also holds in here, so
-- nothing relies on its own.
CREATE TRIGGER job_queue_takes_lane AFTER INSERT ON job_queue
WHEN NEW.status NOT IN ('completed', 'cancelled', 'dead_letter')
    AND EXISTS (SELECT 1 FROM job_limits WHERE scope = 'type' AND name = NEW.job_type AND has_lanes)
BEGIN
    UPDATE job_queue
    SET lane = 0
    WHERE id = NEW.id;
END;

CREATE TRIGGER job_queue_finds_lane AFTER UPDATE OF lane ON job_queue
WHEN NEW.lane = 0
BEGIN
    INSERT INTO job_lanes (id, job_type, queue, limit_key, key_revision, revision, head_priority)
    SELECT (of_job.number << 32) + type.last_lane + 1, of_job.job_type, of_job.queue, of_job.limit_key,
           of_job.key_revision, of_job.revision, COALESCE(NEW.priority, 5)
    FROM job_lane_keys AS of_job
    JOIN job_limits AS type ON type.number = of_job.number
    WHERE of_job.job_id = NEW.id
      AND NOT EXISTS (
          SELECT 1
          FROM job_lanes AS known
          WHERE known.job_type = of_job.job_type
            AND known.limit_key = of_job.limit_key
            AND known.queue = of_job.queue
            AND known.key_revision = of_job.key_revision
      );
    UPDATE job_limits
    SET last_lane = last_lane + 1
    WHERE scope = 'type'
      AND name = NEW.job_type
      AND EXISTS (SELECT 1 FROM job_lanes WHERE id = (job_limits.number << 32) + job_limits.last_lane + 1);
    UPDATE job_queue
    SET lane = (
        SELECT known.id
        FROM job_lane_keys AS of_job
        JOIN job_lanes AS known
          ON known.job_type = of_job.job_type
         AND known.limit_key = of_job.limit_key
         AND known.queue = of_job.queue
         AND known.key_revision = of_job.key_revision
        WHERE of_job.job_id = NEW.id
    )
    WHERE id = NEW.id;
    UPDATE job_lanes
    SET is_open = opens_at IS NULL,
        head_priority = max(head_priority, COALESCE(NEW.priority, 5))
    WHERE id = (SELECT lane FROM job_queue WHERE id = NEW.id AND status = 'pending' AND run_at IS NULL);
END;

-- With another type, queue or key a waiting job stands in another lane.
CREATE TRIGGER job_queue_changes_lane AFTER UPDATE OF job_type, queue, job_data, limit_key ON job_queue
WHEN NEW.lane > 0 AND NEW.status <> 'running'
    AND (NEW.job_type IS NOT OLD.job_type OR NEW.queue IS NOT OLD.queue
         OR NEW.job_data IS NOT OLD.job_data OR NEW.limit_key IS NOT OLD.limit_key)
BEGIN
    UPDATE job_queue
    SET lane = 0
    WHERE id = NEW.id;
END;

-- A lane opens with a job that becomes ready. Every end of a job tries the conditions below, so they are separate triggers:
-- a trigger opens all tables and indexes that it may write before it looks at a row.
CREATE TRIGGER job_queue_opens_lane AFTER UPDATE OF status, run_at, priority ON job_queue
WHEN NEW.lane > 0 AND NEW.status = 'pending' AND NEW.run_at IS NULL
BEGIN
    UPDATE job_lanes
    SET is_open = opens_at IS NULL,
        head_priority = max(head_priority, COALESCE(NEW.priority, 5))
    WHERE id = NEW.lane;
END;

-- The lane of a job that had ended may be gone.
CREATE TRIGGER job_queue_misses_lane AFTER UPDATE OF status, run_at, priority ON job_queue
WHEN NEW.lane > 0 AND NEW.status = 'pending' AND NEW.run_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM job_lanes WHERE id = NEW.lane)
BEGIN
    UPDATE job_queue
    SET lane = 0
    WHERE id = NEW.id;
END;

-- A lane opens with a place that becomes free; then also in the other queues.
CREATE TRIGGER job_queue_frees_place AFTER UPDATE OF status ON job_queue
WHEN NEW.lane > 0 AND OLD.status = 'running' AND NEW.status <> 'running'
    AND EXISTS (
        SELECT 1
        FROM job_lanes AS own
        CROSS JOIN job_lanes AS closed
        WHERE own.id = NEW.lane
          AND closed.job_type = NEW.job_type
          AND closed.limit_key = own.limit_key
          AND NOT closed.is_open
          AND closed.opens_at IS NULL
    )
BEGIN
    UPDATE job_lanes
    SET is_open = 1
    WHERE job_type = NEW.job_type
      AND limit_key = (SELECT limit_key FROM job_lanes WHERE id = NEW.lane)
      AND NOT is_open
      AND opens_at IS NULL
      AND EXISTS (
          SELECT 1
          FROM job_queue AS ready
          WHERE ready.lane = job_lanes.id
            AND ready.status = 'pending'
            AND ready.run_at IS NULL
      );
END;

CREATE TRIGGER job_queue_frees_lane AFTER DELETE ON job_queue
WHEN OLD.lane > 0 AND OLD.status = 'running'
BEGIN
    UPDATE job_lanes
    SET is_open = 1
    WHERE job_type = OLD.job_type
      AND limit_key = (SELECT limit_key FROM job_lanes WHERE id = OLD.lane)
      AND NOT is_open
      AND opens_at IS NULL;
END;
