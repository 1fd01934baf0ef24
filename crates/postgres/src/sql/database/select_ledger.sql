-- What the queue's ledger says: a migration that ran or was rolled back makes another text.
SELECT COALESCE(
           string_agg(format('%s:%s:%s', migration_number, rollback_at IS NULL, checksum), ' ' ORDER BY migration_number),
           ''
       )
FROM longshore.longshore_migrations
WHERE source = 'longshore'
