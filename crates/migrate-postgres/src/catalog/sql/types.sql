-- Enums, composite types, ranges and domains. The row type of a table and the array of a type follow from those.
SELECT
    n.nspname::text AS schema,
    t.typname::text AS name,
    t.typtype::text AS kind,
    (
        SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
        FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid
    ) AS labels,
    (
        SELECT string_agg(
            quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum
        )
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS attributes,
    (
        SELECT format('subtype = %s, opclass %s, canonical %s, difference %s',
            pg_catalog.format_type(r.rngsubtype, NULL),
            (SELECT o.opcname FROM pg_catalog.pg_opclass o WHERE o.oid = r.rngsubopc), r.rngcanonical, r.rngsubdiff)
        FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
    ) AS range,
    CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS base,
    t.typnotnull AS is_not_null,
    pg_catalog.pg_get_expr(t.typdefaultbin, 0) AS default,
    CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN (
        SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
        FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE co.oid = t.typcollation
    ) END AS collation,
    pg_catalog.obj_description(t.oid, 'pg_type') AS comment
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR t.typname = ANY ($2))
    AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, t.typname
