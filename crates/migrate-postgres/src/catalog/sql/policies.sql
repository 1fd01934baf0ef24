SELECT
    n.nspname::text AS schema,
    c.relname::text AS owner,
    p.polname::text AS name,
    p.polpermissive AS is_permissive,
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
        AS command,
    coalesce(
        (
            SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)
            FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)
        ),
        'PUBLIC'
    ) AS roles,
    pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS condition,
    pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
    pg_catalog.obj_description(p.oid, 'pg_policy') AS comment
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR c.relname = ANY ($2))
ORDER BY n.nspname, c.relname, p.polname
