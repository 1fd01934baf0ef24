SELECT count(*)
FROM job_queue
WHERE id IN (SELECT value FROM json_each(?5))
  AND (?1 IS NULL OR status IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR job_type IN (SELECT value FROM json_each(?2)))
  AND (?3 IS NULL OR queue IN (SELECT value FROM json_each(?3)))
  AND (?4 IS NULL OR failure_type IN (SELECT value FROM json_each(?4)))
  AND (?6 IS NULL OR EXISTS (
      SELECT 1 FROM json_each(?6) WHERE substr(dead_letter_reason, 1, length(value)) = value
  ))
