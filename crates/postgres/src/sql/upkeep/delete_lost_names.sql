-- Of the workers $1, whose names are locked, those that nothing mentions. A statement of its own, because one of them may
-- have been registered before it was locked.
WITH used AS MATERIALIZED (
    SELECT worker FROM longshore.worker WHERE worker = ANY ($1)
    UNION
    SELECT worker FROM longshore.running WHERE worker = ANY ($1)
    UNION
    SELECT worker FROM longshore.ended WHERE worker = ANY ($1)
    UNION
    SELECT worker FROM longshore.attempt WHERE worker = ANY ($1)
    UNION
    SELECT worker FROM longshore.story WHERE worker = ANY ($1)
    UNION
    SELECT worker FROM longshore.claim WHERE worker = ANY ($1)
)
DELETE FROM longshore.worker_name
WHERE worker = ANY ($1)
  AND worker NOT IN (SELECT used.worker FROM used)
