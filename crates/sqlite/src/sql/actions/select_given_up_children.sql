-- The reasons are those of DeadLetterReason::ParentEnded. Earlier versions wrote them without a code.
SELECT id
FROM job_queue INDEXED BY job_queue_parent
WHERE parent_job_id = ?1
  AND status = 'dead_letter'
  AND dead_letter_reason IN (
      'parent_ended: its parent job ' || ?1 || ' ended as dead_letter',
      'parent_ended: its parent job ' || ?1 || ' ended as cancelled',
      'parent_ended: its parent job ' || ?1 || ' had not completed',
      'its parent job ' || ?1 || ' ended as dead_letter',
      'its parent job ' || ?1 || ' ended as cancelled',
      'its parent job ' || ?1 || ' had not completed'
  )
ORDER BY id
