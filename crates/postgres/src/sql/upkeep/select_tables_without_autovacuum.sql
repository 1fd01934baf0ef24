-- Tables of the schema $1 that nobody cleans up by itself.
SELECT c.relname::text
FROM pg_class AS c
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
  AND c.relkind = 'r'
  AND (
      NOT current_setting('autovacuum')::boolean
      OR EXISTS (
          SELECT 1
          FROM pg_options_to_table(c.reloptions) AS options
          WHERE option_name = 'autovacuum_enabled'
            AND NOT option_value::boolean
      )
  )
ORDER BY 1
