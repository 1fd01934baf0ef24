-- The end of each of the jobs $1 is heard of from now on. Gives those that do not exist. In the order of the ids, so that
-- two transactions do not wait for each other.
SELECT sorted.id
FROM (SELECT u.id FROM unnest($1::bigint[]) AS u (id) ORDER BY u.id) AS sorted
WHERE NOT longshore.watch_job(sorted.id)
