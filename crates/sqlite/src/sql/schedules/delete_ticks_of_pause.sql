DELETE FROM job_ticks
WHERE schedule = ?1 AND due_at >= ?2 AND kind = 'scheduled' AND outcome = 'skipped_paused'
