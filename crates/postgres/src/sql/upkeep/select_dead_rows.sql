-- Tables of the schema $1 with at least $2 dead rows.
SELECT relname::text, n_dead_tup, n_live_tup
FROM pg_stat_all_tables
WHERE schemaname = $1
  AND n_dead_tup >= $2
ORDER BY n_dead_tup DESC
LIMIT 10
