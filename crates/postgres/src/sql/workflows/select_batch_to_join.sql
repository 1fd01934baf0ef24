-- Whether the batch $1 is open. Nobody closes it before this transaction has ended.
SELECT closed_at IS NULL
FROM longshore.batch
WHERE id = $1
FOR KEY SHARE
