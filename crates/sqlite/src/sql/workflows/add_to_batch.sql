UPDATE job_batches
SET members = members + ?2,
    callbacks = callbacks + ?3
WHERE id = ?1
