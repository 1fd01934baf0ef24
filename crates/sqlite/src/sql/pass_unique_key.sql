-- A running job passes its unique key on to one that is made to wait behind it. What it keeps is marked by U+001F, which
-- no key that is enqueued may hold, and by its id, so that several of them differ.
UPDATE job_queue
SET unique_key = unique_key || char(31) || id
WHERE id = ?1
  AND status = 'running'
  AND unique_key = ?2
