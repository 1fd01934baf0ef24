SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    s.stxname::text AS name,
    pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition,
    pg_catalog.obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
ORDER BY n.nspname, c.relname, s.stxname
