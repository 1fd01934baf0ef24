-- Those of identity columns belong to their columns. A sequence that a column owns is named with its table.
SELECT
    coalesce(tn.nspname, n.nspname)::text AS schema,
    t.relname::text AS owner,
    n.nspname::text AS own_schema,
    c.relname::text AS name,
    format(
        'AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s',
        pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        CASE WHEN s.seqcycle THEN ' CYCLE' END
    ) AS "values",
    (
        SELECT quote_ident(a.attname) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    ) AS owned_by,
    c.relpersistence = 'u' AS is_unlogged,
    pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR coalesce(t.relname, c.relname) = ANY ($2))
    -- The array is found first, so that the sequences of a few tables cost what those tables cost.
    AND (
        $2::text[] IS NULL
        OR s.seqrelid = ANY (ARRAY(
            SELECT r.oid FROM pg_catalog.pg_class r WHERE r.relname = ANY ($2)
            UNION ALL
            SELECT o.objid
            FROM pg_catalog.pg_class r
            JOIN pg_catalog.pg_depend o
                ON o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjid = r.oid
                AND o.classid = 'pg_catalog.pg_class'::regclass
            WHERE r.relname = ANY ($2)
        ))
    )
    AND d.deptype IS DISTINCT FROM 'i'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend e
        WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
