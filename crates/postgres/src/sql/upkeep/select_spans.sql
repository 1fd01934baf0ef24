-- What ended from minute $1 to minute $2, added up over spans of $3 seconds that begin at whole multiples of them. Together with
-- what has not been added up yet.
SELECT to_timestamp(extract(epoch FROM minute)::bigint / $3 * $3) AS span, queue, sum(completed)::bigint, sum(failed)::bigint,
       sum(retried)::bigint, sum(cancelled)::bigint, sum(waited_ms)::bigint, sum(ran_ms)::bigint
FROM (
    SELECT minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms
    FROM longshore.minute
    WHERE minute BETWEEN $1 AND $2
    UNION ALL
    SELECT minute, queue, minute_completed, minute_failed, minute_retried, minute_cancelled, waited_ms, ran_ms
    FROM longshore.change
    WHERE minute BETWEEN $1 AND $2
) AS minutes
GROUP BY span, queue
