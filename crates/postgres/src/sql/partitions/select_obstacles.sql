-- What prevents that the partitions of the tables $1 are made and dropped, with a name for the message.
WITH root AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relkind, c.relowner, c.relnamespace
    FROM unnest($1::text[]) AS named (name)
    JOIN pg_class AS c ON c.oid = named.name::regclass
),
leaf AS MATERIALIZED (
    -- Without the name of the table: the same for each of them.
    SELECT root.oid AS root, substr(c.relname, length(root.relname) + 1) AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM root
    JOIN pg_inherits AS i ON i.inhparent = root.oid
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE c.relkind = 'r'
)
(
    SELECT 'layout' AS what, min(name)::text AS name
    FROM leaf
    GROUP BY leaf.name, leaf.bound
    HAVING count(*) < cardinality($1)
    LIMIT 1
)
UNION ALL
(
    SELECT 'owner', pg_get_userbyid(relowner)::text
    FROM root
    WHERE NOT pg_has_role(relowner, 'USAGE')
    LIMIT 1
)
UNION ALL
(
    SELECT 'create', n.nspname::text
    FROM root
    JOIN pg_namespace AS n ON n.oid = root.relnamespace
    WHERE NOT has_schema_privilege(n.oid, 'CREATE')
    LIMIT 1
)
UNION ALL
(
    SELECT 'foreign_key', k.conrelid::regclass::text
    FROM root
    JOIN pg_constraint AS k ON k.confrelid = root.oid
    WHERE k.contype = 'f'
    LIMIT 1
)
UNION ALL
(
    -- One that runs when rows are deleted or tables emptied (bits 3 and 5).
    SELECT 'trigger', t.tgname::text
    FROM root
    JOIN pg_trigger AS t ON t.tgrelid = root.oid
    WHERE NOT t.tgisinternal
      -- Our own looks for jobs that are retried or deleted alone.
      AND t.tgname <> 'note_return'
      AND t.tgtype & 40 <> 0
    LIMIT 1
)
