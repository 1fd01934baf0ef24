WITH old AS (
    DELETE FROM longshore.audit
    WHERE id IN (SELECT id FROM longshore.audit ORDER BY id LIMIT $6)
      AND at < longshore.now() - make_interval(secs => $5)
)
INSERT INTO longshore.audit (at, actor, via, action, target)
VALUES (longshore.now(), $1, $2, $3, $4)
RETURNING id
