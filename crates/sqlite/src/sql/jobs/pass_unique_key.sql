-- A running job gives its unique key to a job that is created to wait behind it. It keeps the key with U+001F, which no
-- enqueued key may contain, and its id, so that several such keys differ.
UPDATE job_queue
SET unique_key = unique_key || char(31) || id
WHERE id = ?1
  AND status = 'running'
  AND unique_key = ?2
