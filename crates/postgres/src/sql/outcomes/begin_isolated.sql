-- The attempt of a suspect starts alone. A suspect has crashed before, so it has a story.
WITH held AS MATERIALIZED (
    SELECT r.id, r.claim_number
    FROM longshore.running r
    WHERE r.id = $2
      AND r.claim_number = $3
      AND r.worker = (SELECT n.worker FROM longshore.worker_name n WHERE n.worker_id = $1)
    FOR NO KEY UPDATE
),
told AS (
    INSERT INTO longshore.story (id, isolated_claim)
    SELECT h.id, h.claim_number
    FROM held h
    ON CONFLICT (id) DO UPDATE
    SET isolated_claim = excluded.isolated_claim
),
marked AS (
    UPDATE longshore.running
    SET has_story = true
    WHERE id = (SELECT h.id FROM held h)
      AND has_story IS NOT TRUE
)
SELECT h.id
FROM held h
