-- The data of the signal $2 to the batch of the job $1.
SELECT s.data::text
FROM longshore.member AS m
JOIN longshore.signal AS s ON s.batch_id = m.batch_id
WHERE m.id = $1
  AND s.name = $2
