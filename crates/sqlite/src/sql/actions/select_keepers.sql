-- All foreign keys, one row for each column: those that refer to jobs, and those that refer to tables whose rows are
-- deleted with a job.
SELECT tables.name, keys.id, keys."from", keys."table", keys."to", keys.on_delete
FROM sqlite_schema AS tables
JOIN pragma_foreign_key_list(tables.name) AS keys
WHERE tables.type = 'table'
ORDER BY tables.name, keys.id, keys.seq
