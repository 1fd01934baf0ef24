-- Those of foreign keys are internal; a partition has those of its parent.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    t.tgname::text AS name,
    pg_catalog.pg_get_triggerdef(t.oid) AS definition,
    CASE t.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'ENABLED REPLICA' WHEN 'A' THEN 'ENABLED ALWAYS' END
        AS enabled,
    pg_catalog.obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
    AND NOT t.tgisinternal
    AND t.tgparentid = 0
ORDER BY n.nspname, c.relname, t.tgname
