-- Whether the job $1 is a member of the batch $2 and runs in its claim $3 on the worker $4. It ends behind this
-- transaction.
SELECT r.id
FROM longshore.running AS r
WHERE r.id = $1
  AND r.claim_number = $3
  AND r.worker = (SELECT n.worker FROM longshore.worker_name AS n WHERE n.worker_id = $4)
  AND EXISTS (SELECT FROM longshore.member AS m WHERE m.id = r.id AND m.batch_id = $2 AND m.role = 'member')
FOR KEY SHARE
