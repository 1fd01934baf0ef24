-- The jobs that people list by status, newest first: otherwise a list of ended jobs walks through all that wait. Jobs that
-- wait or run are not in it, so neither an enqueue nor a claim pays for it. SQLite recognises a status in a disjunction of
-- equalities only.
CREATE INDEX job_queue_listed ON job_queue (status, id)
    WHERE status = 'completed' OR status = 'cancelled' OR status = 'retrying';
