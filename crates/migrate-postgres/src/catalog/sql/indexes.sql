-- Indexes of their own: one behind a constraint is that constraint, one of a partition is its parent's.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    ic.relname::text AS name,
    pg_catalog.pg_get_indexdef(ic.oid) AS definition,
    i.indisunique AS is_unique,
    m.amname::text AS method,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
    i.indisvalid AND i.indisready AND i.indislive AS is_valid,
    (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(ic.reloptions) AS option) AS options,
    pg_catalog.obj_description(ic.oid, 'pg_class') AS comment
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = ic.relam
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
    AND c.relkind IN ('r', 'p', 'm')
    AND NOT ic.relispartition
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint k
        WHERE k.conindid = ic.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = c.oid
    )
ORDER BY n.nspname, c.relname, ic.relname
