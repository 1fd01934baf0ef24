-- How large a relation is with its partitions, and what goes when it is made anew: its owner and its rights.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind = 'p' AS is_partitioned,
    CASE c.relkind
        WHEN 'p' THEN (
            SELECT coalesce(sum(pg_catalog.pg_table_size(p.relid)), 0)::bigint
            FROM pg_catalog.pg_partition_tree(c.oid) p WHERE p.isleaf
        )
        WHEN 'r' THEN coalesce(pg_catalog.pg_table_size(c.oid), 0)
        WHEN 'm' THEN coalesce(pg_catalog.pg_table_size(c.oid), 0)
        ELSE 0
    END AS bytes,
    CASE WHEN c.relowner <> r.oid THEN quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) END AS owner,
    (
        SELECT array_agg(
            format(
                'GRANT %s ON %I.%I TO %s%s', a.privilege_type, n.nspname, c.relname,
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
                CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
            )
            ORDER BY a.grantee, a.privilege_type
        )
        FROM pg_catalog.aclexplode(c.relacl) a WHERE a.grantee <> c.relowner
    ) AS grants
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.rolname = current_user
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY n.nspname, c.relname
