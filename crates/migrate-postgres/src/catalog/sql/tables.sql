-- Tables, partitioned tables, foreign tables, views and materialized views. What an extension made is its own.
-- A fleeting partition comes and goes while programs run: the comment of its table says so, and no migration has it.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relpersistence = 'u' AS is_unlogged,
    c.relrowsecurity AS has_row_security,
    c.relforcerowsecurity AS forces_row_security,
    CASE c.relreplident
        WHEN 'n' THEN 'NOTHING'
        WHEN 'f' THEN 'FULL'
        WHEN 'i' THEN (
            SELECT 'INDEX ' || quote_ident(ic.relname)
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisreplident
        )
    END AS replica_identity,
    (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(c.reloptions) AS option) AS options,
    pg_catalog.pg_get_partkeydef(c.oid) AS partition_key,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_bound,
    c.relispartition AND EXISTS (
        SELECT
        FROM pg_catalog.pg_partition_ancestors(c.oid) AS above
        WHERE pg_catalog.obj_description(above.relid, 'pg_class') LIKE '%partitions are made and dropped at run time%'
            AND above.relid <> c.oid
    ) AS is_fleeting,
    (
        SELECT string_agg(quote_ident(pn.nspname) || '.' || quote_ident(p.relname), ', ' ORDER BY h.inhseqno)
        FROM pg_catalog.pg_inherits h
        JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = c.oid
    ) AS parents,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END AS query,
    -- What an INSERT into a view leaves out; in the words of ALTER TABLE, which takes several at once.
    CASE WHEN c.relkind = 'v' THEN (
        SELECT string_agg(
            format('ALTER COLUMN %I SET DEFAULT %s', a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)),
            ', ' ORDER BY a.attnum
        )
        FROM pg_catalog.pg_attrdef d
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = c.oid
    ) END AS view_defaults,
    (
        SELECT quote_ident(s.srvname) || coalesce(' OPTIONS (' || array_to_string(f.ftoptions, ', ') || ')', '')
        FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
        WHERE f.ftrelid = c.oid
    ) AS server,
    pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
    AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
