-- The key of a running job becomes free for a job that waits behind it; see the table.
UPDATE longshore.unique_key
SET unique_key = unique_key || chr(31) || id
WHERE unique_key = $2
  AND id = $1
  AND EXISTS (SELECT FROM longshore.running WHERE id = $1)
