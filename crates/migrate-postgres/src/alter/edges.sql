-- What stands on what: one row for each object that would keep another one from being changed or dropped.
WITH standing AS (
    SELECT
        'pg_catalog.pg_rewrite'::regclass AS class, r.oid,
        CASE WHEN r.rulename <> '_RETURN' THEN 'rule' WHEN c.relkind = 'm' THEN 'materialized view' ELSE 'view' END AS kind,
        n.nspname, c.relname AS owner, r.rulename AS name
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, 'trigger', n.nspname, c.relname, t.tgname
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::regclass, p.oid, 'policy', n.nspname, c.relname, p.polname
    FROM pg_catalog.pg_policy p
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, ic.oid, 'index', n.nspname, c.relname, ic.relname
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT ic.relispartition
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = ic.oid AND k.conrelid = c.oid)
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 'constraint', n.nspname, c.relname, k.conname
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.conparentid = 0
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid,
        CASE WHEN a.attgenerated <> '' THEN 'generated' ELSE 'default' END, n.nspname, c.relname, a.attname
    FROM pg_catalog.pg_attrdef d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 'statistics', n.nspname, c.relname, s.stxname
    FROM pg_catalog.pg_statistic_ext s
    JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'function', n.nspname,
        quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', ''
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
), under AS (
    SELECT 'pg_catalog.pg_class'::regclass AS class, c.oid, 0 AS column, 'relation' AS kind, n.nspname, c.relname AS owner, '' AS name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, a.attnum, 'column', n.nspname, c.relname, a.attname
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, k.conindid, 0, 'constraint', n.nspname, c.relname, k.conname
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('p', 'u', 'x')
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 0, 'constraint', n.nspname, c.relname, k.conname
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, c.reltype, 0, 'relation', n.nspname, c.relname, ''
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, 'function', n.nspname,
        quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', ''
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
)
SELECT DISTINCT
    s.kind::text AS kind, s.nspname::text AS schema, s.owner::text AS owner, s.name::text AS name,
    u.kind::text AS on_kind, u.nspname::text AS on_schema, u.owner::text AS on_owner, u.name::text AS on_name
FROM pg_catalog.pg_depend d
JOIN standing s ON s.class = d.classid AND s.oid = d.objid
JOIN under u ON u.class = d.refclassid AND u.oid = d.refobjid AND u.column = d.refobjsubid
WHERE d.deptype IN ('n', 'a')
    AND u.nspname <> 'pg_catalog' AND u.nspname <> 'information_schema'
    AND NOT (s.kind IN ('view', 'materialized view') AND s.nspname = u.nspname AND s.owner = u.owner)
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
