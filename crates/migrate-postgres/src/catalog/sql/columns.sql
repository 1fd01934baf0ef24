-- The sequence of an identity is part of its column; that of a serial column is an object of its own.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN a.attnotnull THEN
        CASE
            -- Only PostgreSQL 18 has such rows.
            WHEN current_setting('server_version_num')::integer >= 180000 AND EXISTS (
                SELECT FROM pg_catalog.pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
            ) THEN 'NOT NULL NOT VALID'
            ELSE 'NOT NULL'
        END
    END AS not_null,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default,
    a.attgenerated::text AS generated,
    CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS identity,
    CASE WHEN a.attidentity <> '' THEN (
        SELECT format(
            'START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s',
            s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END
        )
        FROM pg_catalog.pg_depend i JOIN pg_catalog.pg_sequence s ON s.seqrelid = i.objid
        WHERE i.classid = 'pg_catalog.pg_class'::regclass
            AND i.refclassid = 'pg_catalog.pg_class'::regclass
            AND i.refobjid = c.oid AND i.refobjsubid = a.attnum AND i.deptype = 'i'
    ) END AS identity_values,
    CASE WHEN a.attcollation <> t.typcollation THEN (
        SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
        FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE co.oid = a.attcollation
    ) END AS collation,
    CASE WHEN a.attstorage <> t.typstorage THEN
        CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
    END AS storage,
    -- PostgreSQL 13 has no such column: there it is that of `before_14`. Later versions find that of `same` first.
    CASE WHEN t.typlen = -1 THEN (
        SELECT CASE attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END
        FROM pg_catalog.pg_attribute same
        WHERE same.attrelid = a.attrelid AND same.attnum = a.attnum
    ) END AS compression,
    -- The same as col_description(), which takes longer.
    (
        SELECT r.description
        FROM pg_catalog.pg_description r
        WHERE r.objoid = c.oid AND r.classoid = 'pg_catalog.pg_class'::regclass AND r.objsubid = a.attnum
    ) AS comment
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN (SELECT ''::"char" AS attcompression) AS before_14
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
    AND c.relkind IN ('r', 'p', 'f')
ORDER BY n.nspname, c.relname, a.attnum
