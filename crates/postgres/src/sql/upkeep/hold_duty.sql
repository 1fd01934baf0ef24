-- Until the end of this transaction nobody takes the duty over.
SELECT 1
FROM longshore.duty
WHERE duty = $1
  AND holder = $2
  AND term = $3
FOR SHARE
