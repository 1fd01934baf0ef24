INSERT INTO longshore.queue_pause (queue, paused_at)
SELECT queue, paused_at
FROM unnest($1::text[], $2::timestamptz[]) AS given (queue, paused_at)
