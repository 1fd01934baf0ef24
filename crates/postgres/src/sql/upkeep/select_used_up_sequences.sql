-- Sequences of the schema $1 that have given out more than $2 percent of their numbers.
WITH given AS (
    SELECT sequencename::text AS name,
           -- A database gives the ids of one range, which has 2^44 of them.
           CASE WHEN sequencename = 'job_id' THEN last_value % 17592186044416 ELSE last_value END AS last,
           CASE WHEN sequencename = 'job_id' THEN 17592186044416 ELSE max_value END AS most
    FROM pg_sequences
    WHERE schemaname = $1
)
SELECT name, (last::numeric * 100 / most)::integer
FROM given
WHERE last::numeric * 100 / most > $2
ORDER BY 2 DESC, 1
