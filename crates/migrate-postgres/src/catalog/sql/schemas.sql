SELECT
    n.nspname::text AS schema,
    pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_catalog.pg_namespace n
WHERE n.nspname = ANY ($1)
ORDER BY n.nspname
