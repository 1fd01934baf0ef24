-- Foreign keys that prevent the deletion of a job; CASCADE and SET NULL allow it.
SELECT tables.name, keys."from"
FROM sqlite_schema AS tables
JOIN pragma_foreign_key_list(tables.name) AS keys
WHERE tables.type = 'table'
  AND lower(keys."table") = 'job_queue'
  AND keys.on_delete NOT IN ('CASCADE', 'SET NULL')
ORDER BY tables.name, keys.id, keys.seq
