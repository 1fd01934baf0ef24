-- Foreign keys that prevent the deletion of a job; CASCADE, SET NULL and SET DEFAULT allow it. Partitions of a table repeat
-- its key.
SELECT c.conrelid::regclass::text, quote_ident(a.attname), a.attname::text,
       has_table_privilege(c.conrelid, 'SELECT') AND has_schema_privilege(t.relnamespace, 'USAGE')
FROM pg_constraint AS c
JOIN pg_class AS t ON t.oid = c.conrelid
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f'
  AND c.confrelid = $1::text::regclass
  AND c.confdeltype IN ('a', 'r')
  AND c.conparentid = 0
ORDER BY 1, 2
