UPDATE job_batches
SET completed = completed + ?2,
    cancelled = cancelled + ?3,
    dead_letter = dead_letter + ?4
WHERE id = ?1
