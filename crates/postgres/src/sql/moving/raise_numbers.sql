-- A sequence never goes back, whatever becomes of this transaction.
SELECT CASE WHEN $1 >= (SELECT last_value FROM longshore.job_id) THEN setval('longshore.job_id', $1) END,
       CASE WHEN $2 >= (SELECT last_value FROM longshore.claim_number) THEN setval('longshore.claim_number', $2) END
