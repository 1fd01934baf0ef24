-- PostgreSQL writes no statement for an aggregate, so it is put together.
SELECT
    n.nspname::text AS schema,
    p.proname::text AS base,
    quote_ident(p.proname) || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS name,
    CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind,
    CASE
        WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid)
        ELSE (
            SELECT format(
                E'CREATE OR REPLACE AGGREGATE %I.%I(%s) (\n    %s\n)',
                n.nspname, p.proname, coalesce(nullif(pg_catalog.pg_get_function_arguments(p.oid), ''), '*'),
                concat_ws(
                    E',\n    ',
                    format('SFUNC = %s', a.aggtransfn),
                    format('STYPE = %s', pg_catalog.format_type(a.aggtranstype, NULL)),
                    CASE WHEN a.aggtransspace > 0 THEN format('SSPACE = %s', a.aggtransspace) END,
                    CASE WHEN a.aggfinalfn <> 0 THEN format('FINALFUNC = %s', a.aggfinalfn) END,
                    CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
                    CASE WHEN a.aggfinalfn <> 0 THEN format(
                        'FINALFUNC_MODIFY = %s',
                        CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END
                    ) END,
                    CASE WHEN a.aggcombinefn <> 0 THEN format('COMBINEFUNC = %s', a.aggcombinefn) END,
                    CASE WHEN a.aggserialfn <> 0 THEN format('SERIALFUNC = %s', a.aggserialfn) END,
                    CASE WHEN a.aggdeserialfn <> 0 THEN format('DESERIALFUNC = %s', a.aggdeserialfn) END,
                    'INITCOND = ' || quote_literal(a.agginitval),
                    CASE WHEN a.aggmtransfn <> 0 THEN format('MSFUNC = %s', a.aggmtransfn) END,
                    CASE WHEN a.aggminvtransfn <> 0 THEN format('MINVFUNC = %s', a.aggminvtransfn) END,
                    CASE WHEN a.aggmtranstype <> 0 THEN
                        format('MSTYPE = %s', pg_catalog.format_type(a.aggmtranstype, NULL)) END,
                    CASE WHEN a.aggmfinalfn <> 0 THEN format('MFINALFUNC = %s', a.aggmfinalfn) END,
                    'MINITCOND = ' || quote_literal(a.aggminitval),
                    CASE WHEN a.aggsortop <> 0 THEN format(
                        'SORTOP = OPERATOR(%I.%s)',
                        (
                            SELECT s.nspname FROM pg_catalog.pg_operator o
                            JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace WHERE o.oid = a.aggsortop
                        ),
                        (SELECT o.oprname FROM pg_catalog.pg_operator o WHERE o.oid = a.aggsortop)
                    ) END,
                    CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
                    CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END
                )
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
