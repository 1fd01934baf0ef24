-- Who keeps the server from cleaning up rows that were deleted since, for longer than $1 seconds. The clock is the
-- server's own, as in its views. What a role may not see of the sessions of others is NULL, so these are left out.
SELECT holder, held_seconds
FROM (
    SELECT 'session ' || pid || ' of ' || quote_literal(usename)
           || CASE WHEN application_name = '' THEN '' ELSE ' (' || application_name || ')' END
           || ', which is ' || state AS holder,
           extract(epoch FROM clock_timestamp() - xact_start)::bigint AS held_seconds
    FROM pg_stat_activity
    WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      AND backend_type IN ('client backend', 'walsender')
      AND (datname = current_database() OR backend_type = 'walsender')
      AND pid <> pg_backend_pid()
    UNION ALL
    SELECT 'prepared transaction ' || quote_literal(gid), extract(epoch FROM clock_timestamp() - prepared)::bigint
    FROM pg_prepared_xacts
    WHERE database = current_database()
    UNION ALL
    -- It does not say since when; without a client it is held until somebody drops it.
    SELECT 'replication slot ' || quote_literal(slot_name), NULL
    FROM pg_replication_slots
    WHERE xmin IS NOT NULL
      AND NOT active
) AS held
WHERE held_seconds > $1
   OR held_seconds IS NULL AND holder IS NOT NULL
ORDER BY held_seconds DESC NULLS FIRST
LIMIT 10
