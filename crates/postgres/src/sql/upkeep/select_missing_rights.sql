-- What the role lacks on the tables and sequences of the schema $1 to work on the queue.
SELECT missing.privilege || ' on ' || c.relname
FROM pg_class AS c
CROSS JOIN LATERAL (
    SELECT privilege
    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE c.relkind IN ('r', 'p')
      AND NOT has_table_privilege(c.oid, privilege)
    UNION ALL
    SELECT 'USAGE'
    WHERE c.relkind = 'S'
      AND NOT has_sequence_privilege(c.oid, 'USAGE')
) AS missing
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
  AND c.relkind IN ('r', 'p', 'S')
  -- Nobody uses a partition by its own name.
  AND NOT c.relispartition
ORDER BY 1
LIMIT 20
