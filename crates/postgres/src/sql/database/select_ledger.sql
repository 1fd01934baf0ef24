-- What the queue's ledger says: a migration that ran or was rolled back makes another text.
SELECT COALESCE(
           string_agg(format('%s:%s:%s', migration_number, rollback_at IS NULL, checksum), ' ' ORDER BY migration_number),
           ''
       ),
       -- Whether the queue takes part in a move, or did.
       to_regclass('longshore.longshore_move') IS NOT NULL
FROM longshore.longshore_migrations
WHERE source = 'longshore'
