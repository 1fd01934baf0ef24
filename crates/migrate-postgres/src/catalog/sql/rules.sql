-- The query of a view is a rule, too, and is read with the view.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    r.rulename::text AS name,
    pg_catalog.pg_get_ruledef(r.oid) AS definition,
    CASE r.ev_enabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'ENABLED REPLICA' WHEN 'A' THEN 'ENABLED ALWAYS' END
        AS enabled,
    pg_catalog.obj_description(r.oid, 'pg_rewrite') AS comment
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
    AND r.rulename <> '_RETURN'
ORDER BY n.nspname, c.relname, r.rulename
