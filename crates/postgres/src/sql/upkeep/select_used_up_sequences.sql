-- Sequences of the schema $1 that have given out more than $2 percent of their numbers.
SELECT sequencename::text, (last_value::numeric * 100 / max_value)::integer
FROM pg_sequences
WHERE schemaname = $1
  AND last_value::numeric * 100 / max_value > $2
ORDER BY 2 DESC, 1
