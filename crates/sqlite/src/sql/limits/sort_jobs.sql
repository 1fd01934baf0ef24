-- The trigger job_queue_finds_lane gives each of them its lane.
UPDATE OR FAIL job_queue
SET lane = 0
WHERE id IN (SELECT value FROM rarray(?1))
