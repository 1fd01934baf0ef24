-- PostgreSQL writes no statement for an aggregate, so its parts are listed.
SELECT
    n.nspname::text AS schema,
    p.proname::text AS base,
    quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS name,
    CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind,
    CASE
        WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid)
        ELSE (
            SELECT format(
                'sfunc = %s, stype = %s, finalfunc = %s, combinefunc = %s, initcond = %L, mfinalfunc = %s, kind = %s',
                a.aggtransfn, pg_catalog.format_type(a.aggtranstype, NULL), a.aggfinalfn, a.aggcombinefn,
                a.agginitval, a.aggmfinalfn, a.aggkind
            )
            FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid
        )
    END AS definition,
    pg_catalog.obj_description(p.oid, 'pg_proc') AS comment
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY ($1)
    AND ($2::text[] IS NULL OR p.proname = ANY ($2))
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')
    )
ORDER BY n.nspname, p.proname, 3
