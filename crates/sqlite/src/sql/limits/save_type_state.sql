UPDATE job_limits
SET arrival = ?2,
    turn = ?3
WHERE number = ?1
