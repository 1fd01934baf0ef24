-- The status of a job if it has ended. No row if there is no such job.
SELECT e.status
FROM longshore.job AS j
LEFT JOIN longshore.ended AS e ON e.id = j.id
WHERE j.id = $1
