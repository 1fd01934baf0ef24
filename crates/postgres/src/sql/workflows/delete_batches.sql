-- Those without signals.
DELETE FROM longshore.batch AS b
WHERE b.id = ANY ($1)
  AND NOT EXISTS (SELECT FROM longshore.signal AS s WHERE s.batch_id = b.id)
