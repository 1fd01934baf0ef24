-- What an unregistered worker left behind besides jobs.
WITH unclaimed AS (
    DELETE FROM longshore.claim
    WHERE worker = $1
      AND NOT EXISTS (SELECT FROM longshore.worker w WHERE w.worker = $1)
)
DELETE FROM longshore.started
WHERE worker = $1
  AND NOT EXISTS (SELECT FROM longshore.worker w WHERE w.worker = $1)
