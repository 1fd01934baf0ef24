-- Of tables and of domains. What a partition or a child has from its parent is the parent's. NOT NULL is of the column.
SELECT
    n.nspname::text AS schema,
    coalesce(c.relname, t.typname)::text AS owner,
    k.conname::text AS name,
    k.contype::text AS kind,
    c.oid IS NULL AS is_of_domain,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition,
    CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression,
    (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY key.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number
    ) AS columns,
    k.convalidated AS is_valid,
    -- A key is enforced by internal triggers, which DISABLE TRIGGER ALL of a superuser switches off.
    (
        SELECT string_agg(
            DISTINCT CASE g.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'ENABLED REPLICA' ELSE 'ENABLED ALWAYS' END, ', '
        )
        FROM pg_catalog.pg_trigger g
        WHERE g.tgisinternal
            AND g.tgenabled <> 'O'
            AND (
                g.tgconstraint = k.oid
                OR g.tgconstraint IN (
                    SELECT part.oid FROM pg_catalog.pg_constraint part WHERE part.conparentid = k.oid
                )
            )
    ) AS enabled,
    pg_catalog.obj_description(k.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint k
LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(c.relnamespace, t.typnamespace)
WHERE n.nspname = ANY ($1)
    -- The arrays are found first, so that the constraints of a few tables cost what those tables cost.
    AND (
        $2::text[] IS NULL
        OR k.conrelid = ANY (ARRAY(SELECT r.oid FROM pg_catalog.pg_class r WHERE r.relname = ANY ($2)))
            AND k.contypid = 0
        OR k.contypid = ANY (ARRAY(SELECT y.oid FROM pg_catalog.pg_type y WHERE y.typname = ANY ($2)))
            AND k.conrelid = 0
    )
    AND k.contype IN ('p', 'u', 'f', 'c', 'x')
    AND k.conparentid = 0
    AND (k.contype <> 'c' OR k.contypid <> 0 OR k.conislocal)
ORDER BY n.nspname, coalesce(c.relname, t.typname), k.conname
