-- New jobs of this transaction wait for so many dependencies.
SELECT longshore.block_job(id, unmet)
FROM unnest($1::bigint[], $2::integer[]) AS new (id, unmet)
